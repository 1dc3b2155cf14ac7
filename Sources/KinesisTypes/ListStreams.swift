import AWSProtocol

/// `ListStreams`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreams.html
public struct ListStreamsRequest: Sendable {
    /// 1 to 10,000, default 100.
    public var limit: Int
    /// The page starts behind this name, which need not exist.
    public var exclusiveStartStreamName: String?
    /// Of the page before.
    public var nextToken: String?

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        limit = try reader.integer("Limit", in: 1...10_000) ?? 100
        exclusiveStartStreamName = try reader.string(
            "ExclusiveStartStreamName",
            length: StreamReference.nameLength,
            pattern: .name
        )
        nextToken = try reader.string("NextToken", length: 1...1_048_576)
        try reader.finish()
    }
}
