/// What a worker has done and is doing, at one moment.
public struct WorkerProgress: Sendable, Equatable {
    /// Records given to handler calls that returned, since this worker started; a record read again counts again, and one
    /// that a sink still holds in an unfinished file counts too.
    public var recordsHandled = 0
    /// Handler calls that have finished.
    public var batches = 0
    /// Shards whose lease this worker holds.
    public var shardsOwned = 0
    /// The farthest that any shard held here is behind its newest record, in milliseconds.
    public var millisBehindLatest: Int64 = 0
    /// Whether this worker leads.
    public var isLeader = false
}
