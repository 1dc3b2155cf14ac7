import AWSProtocol

/// `ListShards`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
public struct ListShardsRequest: Sendable {
    /// Which shards to list.
    public enum Filter: Sendable, Equatable {
        /// Behind the shard.
        case afterShardID(String)
        /// Open at the oldest record kept.
        case atTrimHorizon
        /// All within retention.
        case fromTrimHorizon
        /// Open now.
        case atLatest
        /// Open at the time, in milliseconds since 1970.
        case atTimestamp(Int64)
        /// Open at the time or later.
        case fromTimestamp(Int64)
    }

    /// The stream; nil with a token.
    public var stream: StreamReference?
    /// Of the page before.
    public var nextToken: String?
    /// The page starts behind this shard.
    public var exclusiveStartShardID: String?
    /// 1 to 10,000, default 1,000.
    public var maxResults: Int
    /// Tells incarnations of a name apart.
    public var streamCreationTimestamp: Int64?
    /// Default: all.
    public var filter: Filter?

    /// Reads a request. Throws `InvalidArgumentException` where members exclude each other.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.stream(optional: true)
        nextToken = try reader.string("NextToken", length: 1...1_048_576)
        exclusiveStartShardID = try reader.string("ExclusiveStartShardId", length: 1...128, pattern: .name)
        maxResults = try reader.integer("MaxResults", in: 1...10_000) ?? 1000
        streamCreationTimestamp = try reader.timestamp("StreamCreationTimestamp")
        let filter = try reader.structure("ShardFilter") { filter throws(AWSError) in
            let types = [
                "AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP",
            ]
            return (
                type: try filter.string("Type", values: types, required: true),
                shard: try filter.string("ShardId", length: 1...128, pattern: .name),
                time: try filter.timestamp("Timestamp")
            )
        }
        try reader.finish()
        if let filter { self.filter = try Self.filter(filter.type ?? "", filter.shard, filter.time) }
        if nextToken == nil, stream == nil {
            throw .invalidArgument("Either NextToken or StreamName should be provided.")
        }
        // The token says all of it.
        let others = [
            ("StreamName", stream != nil && stream?.arn == nil), ("StreamARN", stream?.arn != nil),
            ("ExclusiveStartShardId", exclusiveStartShardID != nil),
            ("StreamCreationTimestamp", streamCreationTimestamp != nil), ("ShardFilter", filter != nil),
        ]
        if nextToken != nil, let other = others.first(where: \.1) {
            throw .invalidArgument("NextToken and \(other.0) cannot be provided together.")
        }
    }

    private static func filter(_ type: String, _ shard: String?, _ time: Int64?) throws(AWSError) -> Filter {
        switch type {
        case "AFTER_SHARD_ID":
            guard let shard else { throw .invalidArgument("ShardId must be provided for ShardFilter type \(type).") }
            return .afterShardID(shard)
        case "AT_TIMESTAMP", "FROM_TIMESTAMP":
            guard let time else { throw .invalidArgument("Timestamp must be provided for ShardFilter type \(type).") }
            return type == "AT_TIMESTAMP" ? .atTimestamp(time) : .fromTimestamp(time)
        case "AT_TRIM_HORIZON": return .atTrimHorizon
        case "FROM_TRIM_HORIZON": return .fromTrimHorizon
        default: return .atLatest
        }
    }
}
