import Synchronization

/// Lets one task sleep and others interrupt it. What is raised while it is awake interrupts its next sleep at once.
final class Interruption: Sendable {
    private struct State {
        var isRaised = false
        var sleep: Task<Void, Never>?
    }

    private let state = Mutex(State())

    /// Ends the sleep, or the next one.
    func raise() {
        let sleep = state.withLock { state in
            state.isRaised = true
            return state.sleep
        }
        sleep?.cancel()
    }

    /// Whether it was raised since the last time.
    func take() -> Bool {
        state.withLock { state in
            defer { state.isRaised = false }
            return state.isRaised
        }
    }

    /// Runs `body`, which returns early when its task is cancelled: that is what an interruption does, and so does the
    /// caller's own cancellation.
    func sleep(_ body: @escaping @Sendable () async -> Void) async {
        let task: Task<Void, Never>? = state.withLock { state in
            if state.isRaised { return nil }
            let task = Task { await body() }
            state.sleep = task
            return task
        }
        guard let task else { return }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        state.withLock { $0.sleep = nil }
    }
}
