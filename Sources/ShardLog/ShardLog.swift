/// Names one shard's log: the incarnation of a stream and the shard's index in it.
public struct ShardRef: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Identity of one incarnation of a stream, 1 to 64 characters of `[a-z0-9-]`. A stream that is deleted and created
    /// again under its old name gets a new one.
    public let stream: String
    /// Index of the shard in its stream, counting from 0, never reused.
    public let index: UInt32

    /// Names a shard.
    public init(stream: String, index: UInt32) {
        self.stream = stream
        self.index = index
    }

    public var description: String { "\(stream)/\(index)" }

    public static func < (lhs: ShardRef, rhs: ShardRef) -> Bool {
        (lhs.stream, lhs.index) < (rhs.stream, rhs.index)
    }
}

/// Where a frame stands in its shard: opaque, strictly increasing, with gaps. At most 48 bits are used, so a position
/// fits a sequence number. Nobody but the engine computes with it.
public struct Position: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The engine's own number.
    public let rawValue: UInt64

    /// Wraps an engine's number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Sorts before every frame of every shard.
    public static let start = Position(rawValue: 0)

    public var description: String { String(rawValue) }

    public static func < (lhs: Position, rhs: Position) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// One frame to append. The bytes are opaque to the seam; `arrival` is what `ShardLog.position(_:arrivedAtOrAfter:)` finds.
public struct AppendFrame: Sendable {
    /// The frame, whole: 1 byte to 64 MiB.
    public var bytes: FrameBytes
    /// Milliseconds since 1970, not below that of the frame before it.
    public var arrivalMilliseconds: Int64

    /// A frame with its arrival time.
    public init(bytes: FrameBytes, arrivalMilliseconds: Int64) {
        self.bytes = bytes
        self.arrivalMilliseconds = arrivalMilliseconds
    }
}

/// The two ends of a shard's log.
public struct LogBounds: Sendable, Equatable {
    /// The oldest frame kept is at or after this.
    public var first: Position
    /// The position after the last acknowledged frame: the next frame is at or after it.
    public var tail: Position
    /// The last frame, or nil in a log that never had one or has lost all of them to `trim`.
    public var last: Position?
    /// True once `ShardAppender.close` has succeeded.
    public var isClosed: Bool

    /// Names both ends.
    public init(first: Position, tail: Position, last: Position?, isClosed: Bool) {
        self.first = first
        self.tail = tail
        self.last = last
        self.isClosed = isClosed
    }
}

/// Some frames of a shard in order, in one piece of memory.
public struct FrameSlab: Sendable {
    /// One frame's place in `bytes`.
    public struct Frame: Sendable, Equatable {
        /// The frame's position in the shard.
        public var position: Position
        /// The frame's bytes in the slab.
        public var range: Range<Int>

        /// Names a frame's place.
        public init(position: Position, range: Range<Int>) {
            self.position = position
            self.range = range
        }
    }

    /// The frames' bytes.
    public var bytes: FrameBytes
    /// The frames, in order.
    public var frames: [Frame]
    /// Read on from here.
    public var next: Position
    /// True when `next` is the end of a closed shard.
    public var isAtEnd: Bool

    /// A piece of log.
    public init(bytes: FrameBytes, frames: [Frame], next: Position, isAtEnd: Bool) {
        self.bytes = bytes
        self.frames = frames
        self.next = next
        self.isAtEnd = isAtEnd
    }
}

/// What a log can refuse; the set is closed.
public enum ShardLogError: Error, Sendable, Equatable {
    /// The tail is not where the appender expected it: somebody else appends. `actual` is the tail now.
    case conflict(actual: Position)
    /// The frames may or may not be in the log; only `resync` tells.
    case unknown(String)
    /// Nothing was written; try again after the delay.
    case unavailable(String, retryAfter: Duration)
    /// The shard takes no more frames.
    case closed
    /// No such shard.
    case notFound
    /// A frame is larger than the engine takes, in bytes.
    case tooLarge(limit: Int)
    /// The position is before the oldest frame kept.
    case trimmed(first: Position)
    /// Stored bytes fail their checksum. They are never served.
    case corrupt(String)
}

/// Whom a log tells how appends of single frames ended: many can be on their way for one caller, without a closure for each.
public protocol AppendCaller: AnyObject, Sendable {
    /// Called as `completion` of the other `append` is. `tag` is what the caller named the append by.
    func appended(_ tag: Int, _ result: Result<Position, ShardLogError>)
}

/// Appends to one shard, as its only owner.
public protocol ShardAppender: AnyObject, Sendable {
    /// The tail after every append that has been acknowledged.
    var tail: Position { get }

    /// Queues frames; they stand in the log in the order of calls. Returns at once. `completion` is called exactly once,
    /// on a thread of the engine and in the order of calls, after the frames are durable, with one position for each;
    /// it must be quick. A call that is refused is refused as a whole; a crash may leave the first frames of one that was not
    /// answered. Several calls may be in flight. After a failure all later calls fail with `unknown` until the shard is
    /// resynced by opening a new appender.
    func append(
        _ frames: [AppendFrame],
        completion: @escaping @Sendable (Result<[Position], ShardLogError>) -> Void
    )

    /// Queues one frame, in one order with the calls of the other `append`. `caller` is told once how it ended, by its tag.
    func append(_ frame: AppendFrame, tag: Int, caller: any AppendCaller)

    /// Seals the shard behind everything appended so far, durably. Frames may not follow.
    func close() async throws(ShardLogError)
}

extension ShardAppender {
    public func append(_ frame: AppendFrame, tag: Int, caller: any AppendCaller) {
        append([frame]) { result in caller.appended(tag, result.map { $0[0] }) }
    }
}

/// The log of every shard: appends, ordered reads, trimming. One of the two seams a replicated engine stands behind.
///
/// Implementations pass `ShardLogContract`. No method costs more with a longer history.
public protocol ShardLog: Sendable {
    /// Makes an empty log. Succeeds when it exists already.
    func create(_ shard: ShardRef) async throws(ShardLogError)
    /// Removes a log and its bytes. Succeeds when there is none.
    func delete(_ shard: ShardRef) async throws(ShardLogError)
    /// Every log there is, sorted.
    func list() async throws(ShardLogError) -> [ShardRef]
    /// Both ends. Throws `notFound`.
    func bounds(_ shard: ShardRef) async throws(ShardLogError) -> LogBounds
    /// Becomes the shard's owner: earlier appenders of it fail with `conflict` from now on. With `expecting`, throws
    /// `conflict` when the tail is elsewhere. Throws `closed` on a sealed shard. This is also how an owner resyncs.
    func openAppender(_ shard: ShardRef, expecting tail: Position?) async throws(ShardLogError) -> any ShardAppender
    /// Runs `body`, which queues appends to several shards and waits for none of them. An engine that makes many appends durable
    /// at a time waits a moment for the end of it, so that they need one sync. They are no transaction: each may fail by itself.
    func together(_ body: () -> Void)
    /// Frames from `position` on, which is one that the log has given out: the first one whole even if larger than `maxBytes`,
    /// then as many whole frames as fit. Empty at the tail. Only durable frames are shown, and what is damaged is reported and
    /// passed over. A position below the oldest frame kept reads from the oldest.
    func read(_ shard: ShardRef, from position: Position, maxBytes: Int) async throws(ShardLogError) -> FrameSlab
    /// Returns when the tail is past `position`, the shard is closed or deleted, or the time is up, whichever is first.
    func wait(_ shard: ShardRef, past position: Position, upTo limit: Duration) async
    /// The first frame that stands at or after a position, whoever made that up; the tail when there is none.
    func position(_ shard: ShardRef, atOrAfter position: Position) async throws(ShardLogError) -> Position
    /// The first frame whose arrival is at or after `arrivalMilliseconds`; the tail when there is none.
    func position(_ shard: ShardRef, arrivedAtOrAfter arrivalMilliseconds: Int64) async throws(ShardLogError)
        -> Position
    /// Lets go of frames that arrived before `arrivalMilliseconds`. The engine may keep more (whole segments), but readers
    /// see `bounds.first` move exactly to the first frame kept.
    func trim(_ shard: ShardRef, arrivedBefore arrivalMilliseconds: Int64) async throws(ShardLogError)
}

extension ShardLog {
    public func together(_ body: () -> Void) { body() }
}
