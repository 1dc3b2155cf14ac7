import AWSProtocol
import Collector
import ShardLog

extension Collector: StreamAccess {
    public func stream(named name: String, region: String) async throws(AWSError) -> StreamHandle {
        StreamHandle(region: region, name: name, uid: try incarnation(of: name, region: region))
    }

    public func shards(of stream: StreamHandle) async throws(AWSError) -> [SourceShard] {
        try shards(of: stream.name, region: stream.region, incarnation: stream.uid).map { shard, log in
            SourceShard(ref: log, parents: shard.parents.map(\.index), isClosed: !shard.isOpen)
        }
    }

    public func createHiddenStream(name: String, region: String, shards: Int) async throws(AWSError) -> StreamHandle {
        StreamHandle(region: region, name: name, uid: try await createHidden(name, region: region, shards: shards))
    }

    public func deleteHiddenStream(_ stream: StreamHandle) async throws(AWSError) {
        try await deleteHidden(stream.name, region: stream.region, incarnation: stream.uid)
    }
}
