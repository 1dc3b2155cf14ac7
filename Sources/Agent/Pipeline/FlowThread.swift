import Glibc

/// Runs a closure on a thread of its own, so that a file system that hangs holds up one flow alone.
enum FlowThread {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Returns when the closure has. Throws when the system has no thread left.
    static func run(_ body: @escaping @Sendable () -> Void) async throws(AgentError) {
        let code: Int32 = await withCheckedContinuation { continuation in
            let work = Work {
                body()
                continuation.resume(returning: 0)
            }
            var attributes = pthread_attr_t()
            pthread_attr_init(&attributes)
            pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
            defer { pthread_attr_destroy(&attributes) }
            let argument = Unmanaged.passRetained(work)
            var thread = pthread_t()
            let code = pthread_create(
                &thread,
                &attributes,
                { argument in
                    if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                    return nil
                },
                argument.toOpaque()
            )
            if code != 0 {
                argument.release()
                continuation.resume(returning: code)
            }
        }
        guard code == 0 else {
            throw AgentError(
                "can't start a thread: \(SystemText.describe(code)); raise TasksMax of the unit, or the user's process limit"
            )
        }
    }
}
