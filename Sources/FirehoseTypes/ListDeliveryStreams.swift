import AWSProtocol

/// `ListDeliveryStreams`
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_ListDeliveryStreams.html
public struct ListDeliveryStreamsRequest: Sendable, Equatable {
    /// `Limit`, 1 to 10000; default 10.
    public var limit: Int
    /// `DeliveryStreamType`; nil: all.
    public var type: String?
    /// `ExclusiveStartDeliveryStreamName`: names after it, whether it exists or not.
    public var after: String?

    /// Reads a request. Throws `SerializationException` and `ValidationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        limit = try reader.integer("Limit", in: 1...10000) ?? 10
        type = try reader.string("DeliveryStreamType", values: FirehoseConstraints.types)
        after = try reader.string(
            "ExclusiveStartDeliveryStreamName",
            length: FirehoseConstraints.nameLength,
            pattern: .name
        )
        try reader.finish()
    }
}

/// The answer: names in order, and whether there are more.
public func listDeliveryStreamsResponse(names: [String], hasMore: Bool) -> [UInt8] {
    jsonBytes {
        $0.name("DeliveryStreamNames")
        $0.array { for name in names { $0.string(name) } }
        $0.name("HasMoreDeliveryStreams")
        $0.bool(hasMore)
    }
}
