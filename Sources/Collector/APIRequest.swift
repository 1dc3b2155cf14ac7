import AWSProtocol
import AccessPolicy

/// One request behind authentication: what it asks, of which region.
public struct APIRequest: Sendable {
    /// Such as `PutRecords`.
    public var operation: String
    /// The credential scope's.
    public var region: String
    /// The whole body.
    public var body: [UInt8]
    /// How the body is written, and how the answer is to be.
    public var format: WireFormat
    /// The value of `x-millrace-producer`, where it was sent.
    public var producer: String?
    /// Who asks; nil for the service's own requests, which nothing is forbidden.
    public var caller: Caller?

    /// A request.
    public init(
        operation: String,
        region: String,
        body: [UInt8],
        format: WireFormat = .json,
        producer: String? = nil,
        caller: Caller? = nil
    ) {
        self.operation = operation
        self.region = region
        self.body = body
        self.format = format
        self.producer = producer
        self.caller = caller
    }

    /// Writes an answer in the request's format.
    func answer(reserving capacity: Int = 256, _ body: (inout AnswerWriter) -> Void) -> [UInt8] {
        answerBytes(format, reserving: capacity, body)
    }
}

/// What an operation answers.
public enum APIAnswer: Sendable {
    /// A whole body; empty for operations without output.
    case body([UInt8])
    /// An event stream that goes on for a while.
    case events(EventFeed)

    /// The bytes of an answer that has a whole body; empty for a feed.
    public var bytes: [UInt8] {
        if case .body(let bytes) = self { bytes } else { [] }
    }
}

/// Pieces of an answer, asked for one by one: whoever writes them asks for the next when the last one is written.
public struct EventFeed: Sendable {
    /// Waits for the next piece; nil at the end.
    public var next: @Sendable () async -> [UInt8]?
    /// Called once, when the feed was read to its end or its reader is gone.
    public var end: @Sendable () -> Void
    /// What it says while it has nothing to say; nil for feeds that may be silent.
    public var heartbeat: Heartbeat?

    /// A piece for the silence between two others. It is made where it is written, so a thousand silent feeds wake no task.
    public struct Heartbeat: Sendable {
        /// How long nothing is written before it is due.
        public var interval: Duration
        /// Called while `next` is waited for and all that it returned before is written; its bytes go out before what
        /// `next` returns. Nil when that is about to return.
        public var piece: @Sendable () -> [UInt8]?

        /// A heartbeat.
        public init(every interval: Duration, piece: @escaping @Sendable () -> [UInt8]?) {
            self.interval = interval
            self.piece = piece
        }
    }

    /// A feed.
    public init(
        next: @escaping @Sendable () async -> [UInt8]?,
        end: @escaping @Sendable () -> Void,
        heartbeat: Heartbeat? = nil
    ) {
        self.next = next
        self.end = end
        self.heartbeat = heartbeat
    }
}
