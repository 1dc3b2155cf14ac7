import AWSProtocol

/// `GetShardIterator`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
public struct GetShardIteratorRequest: Sendable {
    /// Where to start.
    public enum Kind: String, Sendable, CaseIterable {
        /// At the record, inclusive.
        case atSequenceNumber = "AT_SEQUENCE_NUMBER"
        /// Behind the record.
        case afterSequenceNumber = "AFTER_SEQUENCE_NUMBER"
        /// At the oldest record kept.
        case trimHorizon = "TRIM_HORIZON"
        /// Behind the newest record.
        case latest = "LATEST"
        /// At the first record that arrived then or later.
        case atTimestamp = "AT_TIMESTAMP"
    }

    /// The stream.
    public var stream: StreamReference
    /// The shard, in any of the spellings AWS reads.
    public var shardID: String
    /// Where to start.
    public var kind: Kind
    /// For the two kinds that need one.
    public var startingSequenceNumber: String?
    /// For `atTimestamp`, in milliseconds since 1970.
    public var timestamp: Int64?
    /// Whether only permission and validity are asked for.
    public var isDryRun: Bool

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        let shard = try reader.string("ShardId", length: 1...128, pattern: .name, required: true)
        let type = try reader.string("ShardIteratorType", values: Kind.allCases.map(\.rawValue), required: true)
        startingSequenceNumber = try reader.string("StartingSequenceNumber", pattern: .decimal(moreDigits: 128))
        timestamp = try reader.timestamp("Timestamp")
        isDryRun = try reader.bool("DryRun") ?? false
        try reader.finish()
        shardID = shard ?? ""
        kind = type.flatMap(Kind.init) ?? .latest
    }

    /// Throws `InvalidArgumentException` where kind and members don't go together. AWS looks at that when it has found the
    /// shard.
    public func checkPosition() throws(AWSError) {
        switch kind {
        case .atTimestamp:
            guard timestamp != nil else {
                throw .invalidArgument(
                    "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
                        + "Current request has no timestamp parameter."
                )
            }
        case .atSequenceNumber, .afterSequenceNumber:
            if startingSequenceNumber == nil { throw mismatch("no") }
        case .trimHorizon, .latest:
            if startingSequenceNumber != nil { throw mismatch("also a") }
        }
    }

    private func mismatch(_ words: String) -> AWSError {
        .invalidArgument(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
                + "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
                + "Request specified \(kind.rawValue) and \(words) StartingSequenceNumber."
        )
    }
}
