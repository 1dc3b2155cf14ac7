import Synchronization

/// A batch with the request it makes.
struct EncodedBatch: Sendable {
    var batch: Batch
    var encoder: RequestEncoder
    /// The whole batch as a body.
    var body: [UInt8]
    /// `x-millrace-producer` for the whole batch; nil towards AWS.
    var producers: String?
}

/// Carries batches from a flow's reader to its sender and acknowledgements back. Holds one ready batch besides the one
/// that is being sent: when both are there, nothing more is read, and the file is the buffer.
final class Handoff: Sendable {
    private struct State {
        var endpoint: EndpointKind?
        var ready: EncodedBatch?
        var acknowledged: [EncodedBatch] = []
        var isStopping = false
        var isClosed = false
        var isSenderDone = false
        var waiter: CheckedContinuation<EncodedBatch?, Never>?
    }

    private let state = Mutex(State())
    /// Wakes the reader.
    let wakeReader = WakeSignal()

    // MARK: - The reader's side

    /// Who was found at the endpoint; nil until then.
    var endpoint: EndpointKind? { state.withLock { $0.endpoint } }
    /// Whether a batch would be taken now.
    var hasRoom: Bool { state.withLock { $0.ready == nil && !$0.isClosed } }
    /// Whether the agent is to stop.
    var isStopping: Bool { state.withLock { $0.isStopping } }
    /// Whether nothing is sent any more.
    var isSenderDone: Bool { state.withLock { $0.isSenderDone } }

    /// Gives a batch; there must be room.
    func offer(_ batch: EncodedBatch) {
        let waiter = state.withLock { state in
            precondition(state.ready == nil && !state.isClosed, "a batch was offered where there is no room")
            guard let waiter = state.waiter else {
                state.ready = batch
                return nil as CheckedContinuation<EncodedBatch?, Never>?
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: batch)
    }

    /// No batch follows.
    func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// What was acknowledged since the last call, in order.
    func takeAcknowledged() -> [EncodedBatch] {
        state.withLock { state in
            defer { state.acknowledged = [] }
            return state.acknowledged
        }
    }

    // MARK: - The sender's side

    func found(_ endpoint: EndpointKind) {
        state.withLock { $0.endpoint = endpoint }
        wakeReader.wake()
    }

    /// The next batch; nil behind the last one.
    func take() async -> EncodedBatch? {
        await withCheckedContinuation { continuation in
            let (now, batch) = state.withLock { state -> (Bool, EncodedBatch?) in
                if let batch = state.ready {
                    state.ready = nil
                    return (true, batch)
                }
                if state.isClosed { return (true, nil) }
                state.waiter = continuation
                return (false, nil)
            }
            if now { continuation.resume(returning: batch) }
            wakeReader.wake()
        }
    }

    /// All of a batch is durable.
    func acknowledge(_ batch: EncodedBatch) {
        state.withLock { $0.acknowledged.append(batch) }
        wakeReader.wake()
    }

    func senderDone() {
        state.withLock { $0.isSenderDone = true }
        wakeReader.wake()
    }

    // MARK: - The agent's side

    /// Asks both sides to come to an end.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeReader.wake()
    }
}
