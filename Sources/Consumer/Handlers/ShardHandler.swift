/// The shard a handler works on.
public struct ShardContext: Sendable, Equatable {
    /// The stream's name.
    public var stream: String
    /// The shard's id.
    public var shard: String

    /// A shard of a stream.
    public init(stream: String, shard: String) {
        self.stream = stream
        self.shard = shard
    }
}

/// Why a handler is asked to finish.
public enum Ending: Sendable, Equatable {
    /// The shard is read to its end.
    case shardEnd
    /// The worker stops; another will go on from the checkpoint.
    case stopping
}

/// Handles the records of one shard while this worker holds its lease.
///
/// Each call answers how far everything is finished, durably: the sequence number that may be stored as the checkpoint, or
/// nil for "no further than before". A handler that keeps records for later answers nil until they are finished. When a
/// call throws, the handler is given up, a new one begins, and reading starts again at the checkpoint.
public protocol ShardHandler: Sendable {
    /// The most records that one call of `handle` gets. A checkpoint may be stored after each call.
    var batchSize: Int { get }
    /// Takes records in order.
    func handle(_ records: [ConsumedRecord]) async throws -> String?
    /// Called between reads, at least once in the idle time, so that time limits are kept without new records.
    func lookAtTime() async throws -> String?
    /// Called once, last. At a shard's end everything must be finished; when stopping, what isn't is read again by another.
    func finish(_ ending: Ending) async throws -> String?
    /// The lease is lost, or a call has thrown: leave without finishing anything.
    func abandon() async
}

/// Makes the handler of each shard this worker takes.
public protocol ShardHandlers: Sendable {
    /// Called when the lease is held and before the checkpoint is read, so whatever an earlier owner still finished is
    /// seen. May wait for what that one holds; throws to be tried again later.
    func begin(_ shard: ShardContext) async throws -> any ShardHandler
}

/// The simple kind of handler: a function that has finished its records when it returns.
public protocol RecordHandler: Sendable {
    /// Handles a batch; `attempt` counts from 1. Throws when the batch must be tried again. Ends soon after its task is
    /// cancelled.
    func handle(_ records: [ConsumedRecord], shard: ShardContext, attempt: Int) async throws
}
