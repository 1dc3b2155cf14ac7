import AWSProtocol

/// `DescribeStream`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStream.html
public struct DescribeStreamRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// 1 to 10,000; the page never holds more than 100 shards.
    public var limit: Int
    /// The page starts behind this shard.
    public var exclusiveStartShardID: String?

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        limit = try reader.integer("Limit", in: 1...10_000) ?? 100
        exclusiveStartShardID = try reader.string("ExclusiveStartShardId", length: 1...128, pattern: .name)
        try reader.finish()
    }
}

/// `DescribeStreamSummary`:
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamSummary.html
public struct DescribeStreamSummaryRequest: Sendable {
    /// The stream.
    public var stream: StreamReference

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        try reader.finish()
    }
}
