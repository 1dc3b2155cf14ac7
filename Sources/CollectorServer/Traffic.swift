import Synchronization

/// Counts the requests that are being answered, so that a stop can wait for them.
final class Traffic: Sendable {
    private struct State {
        var running = 0
        var total = 0
        var isStopping = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var isStopping: Bool { state.withLock { $0.isStopping } }
    var isQuiet: Bool { state.withLock { $0.running == 0 } }
    var total: Int { state.withLock { $0.total } }

    func began() {
        state.withLock { state in
            state.running += 1
            state.total += 1
        }
    }

    func ended() {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.running -= 1
            guard state.running == 0, state.isStopping else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when nothing is being answered any more.
    func stop() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                state.isStopping = true
                if state.running == 0 { return true }
                state.waiters.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }
}
