import Synchronization

/// What a flow counts and shows: written by its reader and its sender, read by the status and the watchdog.
final class FlowMeters: Sendable {
    /// What a sender does.
    enum Sending: Sendable, Equatable {
        /// Waits for records.
        case idle
        /// A request is under way.
        case requesting(since: Int64)
        /// Waits for the next try.
        case backingOff
    }

    struct Values: Sendable, Equatable {
        var recordsRead: Int64 = 0
        var bytesRead: Int64 = 0
        var recordsAcknowledged: Int64 = 0
        var bytesAcknowledged: Int64 = 0
        /// Records of requests that were not stored at the first try.
        var recordsRetried: Int64 = 0
        var requests: Int64 = 0
        var lagBytes: Int64 = 0
        var endpoint: EndpointKind?
        /// What hinders the flow now; nil when nothing does.
        var trouble: String?
        /// What last hindered it.
        var lastError: String?
        /// When the reader last came round, in nanoseconds of `MonotonicTime`.
        var readerSeen: Int64 = 0
        var sending = Sending.idle
    }

    private let state = Mutex(Values())

    var values: Values { state.withLock { $0 } }

    func update(_ body: (inout Values) -> Void) { state.withLock { body(&$0) } }

    func failed(_ trouble: String) {
        update { values in
            values.trouble = trouble
            values.lastError = trouble
        }
    }

    /// Whether the flow advances, or rests for a reason: what the watchdog asks. A request may take `longest`.
    func isAlive(at now: Int64, longest: Duration = .seconds(90), reader: Duration = .seconds(20)) -> Bool {
        let values = values
        guard now - values.readerSeen < reader.nanoseconds else { return false }
        if case .requesting(let since) = values.sending { return now - since < longest.nanoseconds }
        return true
    }
}
