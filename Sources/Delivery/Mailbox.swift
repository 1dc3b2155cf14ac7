import Synchronization

/// What a delivery run is told from outside its own steps.
enum DeliveryEvent: Sendable, Equatable {
    /// The shard may have records beyond where it was read.
    case data(UInt32)
    /// The buffer may be old enough.
    case deadline
    /// Time to look for new shards again.
    case discover
    /// The configuration row changed.
    case changed
    /// Time to stop draining.
    case giveUp
}

/// Events for one task that waits for them.
final class Mailbox: Sendable {
    private struct State {
        var events: [DeliveryEvent] = []
        var waiting: CheckedContinuation<Void, Never>?
        var isCancelled = false
    }

    private let state = Mutex(State())

    func post(_ event: DeliveryEvent) {
        let waiting = state.withLock { state in
            if !state.events.contains(event) { state.events.append(event) }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// What came since the last call; does not wait.
    func take() -> [DeliveryEvent] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }

    /// Returns when there is something to take, or the task is cancelled.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goOn = state.withLock { state in
                    if state.isCancelled || !state.events.isEmpty { return true }
                    state.waiting = continuation
                    return false
                }
                if goOn { continuation.resume() }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.isCancelled = true
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume()
        }
    }
}
