import AWSProtocol

/// `SubscribeToShard`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
public struct SubscribeToShardRequest: Sendable {
    /// The consumer.
    public var consumer: ConsumerARN
    /// As it was given.
    public var consumerARN: String
    /// The shard, in any of the spellings AWS reads.
    public var shardID: String
    /// Where to start.
    public var kind: GetShardIteratorRequest.Kind
    /// For the two kinds that need one.
    public var sequenceNumber: String?
    /// For `atTimestamp`, in milliseconds since 1970.
    public var timestamp: Int64?
    /// Whether only permission and validity are asked for.
    public var isDryRun: Bool

    /// Reads a request. Throws `InvalidArgumentException` where kind and members don't go together.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        let arn = try reader.string("ConsumerARN", length: 1...2048, pattern: ConsumerARN.pattern, required: true)
        let shard = try reader.string("ShardId", length: 1...128, pattern: .name, required: true)
        let position = try reader.structure("StartingPosition", required: true) { position throws(AWSError) in
            (
                type: try position.string(
                    "Type",
                    values: GetShardIteratorRequest.Kind.allCases.map(\.rawValue),
                    required: true
                ),
                number: try position.string("SequenceNumber", pattern: .decimal(moreDigits: 128)),
                time: try position.timestamp("Timestamp")
            )
        }
        isDryRun = try reader.bool("DryRun") ?? false
        try reader.finish()
        consumerARN = arn ?? ""
        guard let consumer = ConsumerARN(consumerARN) else { throw .internalFailure }
        self.consumer = consumer
        shardID = shard ?? ""
        kind = position?.type.flatMap(GetShardIteratorRequest.Kind.init) ?? .latest
        sequenceNumber = position?.number
        timestamp = position?.time
        switch kind {
        case .atTimestamp where timestamp == nil:
            throw .invalidArgument("Timestamp must be provided for StartingPosition type AT_TIMESTAMP.")
        case .atSequenceNumber where sequenceNumber == nil, .afterSequenceNumber where sequenceNumber == nil:
            throw .invalidArgument("SequenceNumber must be provided for StartingPosition type \(kind.rawValue).")
        case .trimHorizon where sequenceNumber != nil, .latest where sequenceNumber != nil:
            throw .invalidArgument("SequenceNumber must not be provided for StartingPosition type \(kind.rawValue).")
        default: break
        }
    }
}
