import AWSProtocol
import AccessPolicy
import ShardLog
import StreamKeys

/// One incarnation of a data stream.
public struct StreamHandle: Sendable, Hashable {
    /// Such as `us-east-1`.
    public var region: String
    /// The stream's name.
    public var name: String
    /// Changes when a stream is deleted and created again: `ShardRef.stream`.
    public var uid: String

    /// Names a stream.
    public init(region: String, name: String, uid: String) {
        self.region = region
        self.name = name
        self.uid = uid
    }
}

/// One shard of a source stream.
public struct SourceShard: Sendable, Equatable {
    /// Its log.
    public var ref: ShardRef
    /// Indices of the shards it came from by a split or a merge, whether they are still listed or not.
    public var parents: [UInt32]
    /// True when it takes no more records.
    public var isClosed: Bool

    /// A shard.
    public init(ref: ShardRef, parents: [UInt32], isClosed: Bool) {
        self.ref = ref
        self.parents = parents
        self.isClosed = isClosed
    }
}

/// What delivery needs of the collector: records by shard, and the hidden streams that hold direct puts.
public protocol StreamAccess: Sendable {
    /// Durable frames of every shard, decodable with `FrameView`.
    var log: any ShardLog { get }
    /// What opens those of encrypted streams.
    var keys: KeyRing { get }
    /// A stream that users see. Throws AWS's `ResourceNotFoundException` when there is none.
    func stream(named name: String, region: String) async throws(AWSError) -> StreamHandle
    /// Throws `AccessDeniedException` where the caller may not read a stream, which may not be there. Without a caller it is allowed.
    func authorizeReading(_ name: String, region: String, caller: Caller?) throws(AWSError)
    /// Every listed shard, parents before children. Throws `ResourceNotFoundException` when this incarnation is gone.
    func shards(of stream: StreamHandle) async throws(AWSError) -> [SourceShard]
    /// A data stream that users don't see; its name has a `$`. Returns the one there is when the name is taken, as a retry
    /// after a crash finds it.
    func createHiddenStream(name: String, region: String, shards: Int) async throws(AWSError) -> StreamHandle
    /// Removes a hidden stream with its records. Succeeds when there is none.
    func deleteHiddenStream(_ stream: StreamHandle) async throws(AWSError)
}
