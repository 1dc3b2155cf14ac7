import AWSProtocol

/// `SplitShard`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SplitShard.html
public struct SplitShardRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// The open shard to close.
    public var shardToSplit: String
    /// Decimal: the lowest key of the upper child.
    public var newStartingHashKey: String

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        let shard = try reader.string("ShardToSplit", length: 1...128, pattern: .name, required: true)
        let key = try reader.string("NewStartingHashKey", pattern: .decimal(moreDigits: 38), required: true)
        try reader.finish()
        shardToSplit = shard ?? ""
        newStartingHashKey = key ?? ""
    }
}

/// `MergeShards`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_MergeShards.html
public struct MergeShardsRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// The open shard with the lower range.
    public var shardToMerge: String
    /// The open shard right above it.
    public var adjacentShardToMerge: String

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        let lower = try reader.string("ShardToMerge", length: 1...128, pattern: .name, required: true)
        let upper = try reader.string("AdjacentShardToMerge", length: 1...128, pattern: .name, required: true)
        try reader.finish()
        shardToMerge = lower ?? ""
        adjacentShardToMerge = upper ?? ""
    }
}
