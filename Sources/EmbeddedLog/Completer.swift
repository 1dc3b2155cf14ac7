import Synchronization

/// Tells callers how their requests ended, in order. A few are told at once; while many are told, on a thread of their own, the
/// next group commits.
final class Completer: Sendable {
    private struct State {
        var waiting: [[LogRequest]] = []
        /// The thread tells what it has taken.
        var isTelling = false
        var isStopping = false
        var hasStopped = false
    }

    /// From so many on the thread tells them: to wake it costs as much as a few.
    private static let many = 32

    private let state = Mutex(State())
    private let wake = Signal()
    private let isThreaded: Bool

    init(isThreaded: Bool) { self.isThreaded = isThreaded }

    /// Starts the thread.
    func start() { LogThread.start { self.run() } }

    /// Called by the commit thread alone.
    func complete(_ requests: [LogRequest]) {
        let isLeft =
            isThreaded
            && state.withLock { state in
                // Behind others it keeps its place.
                if requests.count < Self.many, state.waiting.isEmpty, !state.isTelling { return false }
                state.waiting.append(requests)
                return true
            }
        if isLeft { wake.raise() } else { for request in requests { request.tell() } }
    }

    /// Tells what is left, then ends the thread. The commit thread has ended.
    func stop() async {
        guard isThreaded else { return }
        state.withLock { $0.isStopping = true }
        wake.raise()
        while !state.withLock({ $0.hasStopped }) { try? await Task.sleep(for: .milliseconds(1)) }
    }

    private func run() {
        while true {
            wake.wait()
            while true {
                let taken = state.withLock { state in
                    defer { state.waiting = [] }
                    state.isTelling = !state.waiting.isEmpty
                    return state.waiting
                }
                if taken.isEmpty { break }
                for requests in taken { for request in requests { request.tell() } }
            }
            let isDone = state.withLock { state in
                state.hasStopped = state.isStopping && state.waiting.isEmpty
                return state.hasStopped
            }
            if isDone { return }
        }
    }
}
