import AWSProtocol
import FirehoseTypes
import KinesisTypes
import ShardLog
import StreamModel

/// What parts of the service that are clients of the log need to know of streams: delivery does.
extension Collector {
    /// The incarnation of a stream that users see. Throws `ResourceNotFoundException`.
    public func incarnation(of name: String, region: String) throws(AWSError) -> String {
        let key = StreamKey(region: region, name: name)
        guard let stream = streams.withLock({ $0[key] }), !stream.record.isHidden, stream.isServing else {
            throw notFound(name)
        }
        return stream.uid
    }

    /// Every listed shard of an incarnation, parents before children, with its log. Throws `ResourceNotFoundException`.
    public func shards(
        of name: String,
        region: String,
        incarnation: String
    ) throws(AWSError) -> [(shard: Shard, log: ShardRef)] {
        let key = StreamKey(region: region, name: name)
        guard let stream = streams.withLock({ $0[key] }), stream.uid == incarnation, stream.isServing else {
            throw notFound(name)
        }
        return stream.record.shards.shards.map { ($0, stream.ref($0.id)) }
    }

    /// Makes a stream that is not listed, or returns the incarnation there is.
    public func createHidden(_ name: String, region: String, shards: Int) async throws(AWSError) -> String {
        let key = StreamKey(region: region, name: name)
        // One on its way out keeps the name, and `create` says so.
        if let stream = streams.withLock({ $0[key] }), stream.record.status != .deleting { return stream.uid }
        return try await create(
            key,
            shards: shards,
            mode: .provisioned,
            maxRecordBytes: FirehosePut.recordSizeLimit,
            isHidden: true
        ).uid
    }

    /// Removes a stream that is not listed, with its records. Succeeds when there is none.
    public func deleteHidden(_ name: String, region: String, incarnation: String) async throws(AWSError) {
        let key = StreamKey(region: region, name: name)
        guard let stream = streams.withLock({ $0[key] }), stream.uid == incarnation else { return }
        try await delete(stream)
    }
}
