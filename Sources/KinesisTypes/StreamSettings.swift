import AWSProtocol

/// `UpdateStreamMode`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamMode.html
public struct UpdateStreamModeRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// The mode wanted.
    public var mode: StreamMode
    /// MiB/s; for on-demand streams.
    public var warmThroughput: Int?

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.streamARN()
        let mode = try reader.structure("StreamModeDetails", required: true) { details throws(AWSError) in
            try details.string("StreamMode", values: StreamMode.allCases.map(\.rawValue), required: true)
        }
        warmThroughput = try reader.integer("WarmThroughputMiBps", in: 0...2_147_483_647)
        try reader.finish()
        self.mode = (mode ?? nil).flatMap(StreamMode.init) ?? .provisioned
    }
}

/// `UpdateStreamWarmThroughput`:
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamWarmThroughput.html
public struct UpdateStreamWarmThroughputRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// MiB/s, 0 or more.
    public var warmThroughput: Int

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        warmThroughput = try reader.integer("WarmThroughputMiBps", in: 0...2_147_483_647, required: true) ?? 0
        try reader.finish()
    }
}

/// `UpdateStreamRecordDistributionStrategy`: of botocore's service model 1.43.106.
public struct UpdateStreamRecordDistributionStrategyRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// The strategy wanted.
    public var strategy: RecordDistributionStrategy

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.streamARN()
        let strategy = try reader.string(
            "RecordDistributionStrategy",
            values: RecordDistributionStrategy.allCases.map(\.rawValue),
            required: true
        )
        try reader.finish()
        self.strategy = strategy.flatMap(RecordDistributionStrategy.init) ?? .userPartitionKey
    }
}

/// How records find their shard.
public enum RecordDistributionStrategy: String, Sendable, CaseIterable {
    /// The service chooses; partition keys are not looked at. On-demand streams only.
    case auto = "AUTO"
    /// By the hash of the partition key.
    case userPartitionKey = "USER_PARTITION_KEY"
}

/// `UpdateAccountSettings`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateAccountSettings.html
public struct UpdateAccountSettingsRequest: Sendable {
    /// Whether the minimum throughput billing commitment is wanted.
    public var isCommitted: Bool

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        let status = try reader.structure(
            "MinimumThroughputBillingCommitment",
            required: true
        ) { commitment throws(AWSError) in
            try commitment.string("Status", values: ["ENABLED", "DISABLED"], required: true)
        }
        try reader.finish()
        isCommitted = (status ?? nil) == "ENABLED"
    }
}
