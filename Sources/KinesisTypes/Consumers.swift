import AWSProtocol

/// `RegisterStreamConsumer`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
public struct RegisterStreamConsumerRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// 1 to 128 characters of `[a-zA-Z0-9_.-]`.
    public var name: String
    /// Values by key.
    public var tags: [String: String]

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.streamARN()
        name = try reader.string("ConsumerName", length: 1...128, pattern: .name, required: true) ?? ""
        tags = try reader.tags(required: false) ?? [:]
        try reader.finish()
    }
}

/// Names a consumer: by its ARN, by the stream's ARN and its name, or by all three where they agree.
public struct ConsumerReference: Sendable, Equatable {
    /// The stream.
    public var stream: StreamReference
    /// The consumer's name.
    public var name: String
    /// When it was registered, in seconds since 1970; nil when no consumer ARN was given.
    public var created: Int64?

    /// Names a consumer.
    public init(stream: StreamReference, name: String, created: Int64?) {
        self.stream = stream
        self.name = name
        self.created = created
    }
}

/// `DescribeStreamConsumer` and `DeregisterStreamConsumer`:
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamConsumer.html
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeregisterStreamConsumer.html
public struct StreamConsumerRequest: Sendable {
    /// The consumer.
    public var consumer: ConsumerReference

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        let streamARN = try reader.string("StreamARN", length: 1...2048, pattern: StreamReference.arnPattern)
        let name = try reader.string("ConsumerName", length: 1...128, pattern: .name)
        let text = try reader.string("ConsumerARN", length: 1...2048, pattern: ConsumerARN.pattern)
        let arn = text.flatMap { ConsumerARN($0) }
        if reader.raw("ConsumerARN") == nil, reader.raw("StreamARN") == nil || reader.raw("ConsumerName") == nil {
            reader.refuse(.invalidArgument("Either ConsumerARN or both StreamARN and ConsumerName must be provided."))
        }
        if let arn, (streamARN ?? arn.streamARN) != arn.streamARN || (name ?? arn.name) != arn.name {
            reader.refuse(.invalidArgument("StreamARN and ConsumerName do not match ConsumerARN \(text ?? "")."))
        }
        try reader.finish()
        let stream = arn?.streamARN ?? streamARN ?? ""
        consumer = ConsumerReference(
            stream: StreamReference(name: StreamReference.streamName(inARN: stream) ?? "", arn: stream),
            name: arn?.name ?? name ?? "",
            created: arn?.created
        )
    }
}

/// `ListStreamConsumers`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreamConsumers.html
public struct ListStreamConsumersRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// Of the page before.
    public var nextToken: String?
    /// 1 to 10,000, default 100.
    public var maxResults: Int
    /// Tells incarnations of a name apart.
    public var streamCreationTimestamp: Int64?

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.streamARN()
        nextToken = try reader.string("NextToken", length: 1...1_048_576)
        maxResults = try reader.integer("MaxResults", in: 1...10_000) ?? 100
        streamCreationTimestamp = try reader.timestamp("StreamCreationTimestamp")
        if nextToken != nil, streamCreationTimestamp != nil {
            reader.refuse(.invalidArgument("NextToken and StreamCreationTimestamp cannot be provided together."))
        }
        try reader.finish()
    }
}
