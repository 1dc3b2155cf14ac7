import AWSProtocol

/// `CreateStream`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
public struct CreateStreamRequest: Sendable {
    /// 1 to 128 characters of `[a-zA-Z0-9_.-]`.
    public var streamName: String
    /// 1 or more; nil for an on-demand stream.
    public var shardCount: Int?
    /// Whether shards are counted by the caller or scale by themselves; default on-demand when no count is given.
    public var mode: StreamMode
    /// 1,024 (default) to 10,240 KiB, over data and partition key.
    public var maxRecordSizeInKiB: Int
    /// Values by key.
    public var tags: [String: String]
    /// MiB/s that an on-demand stream is to take at once.
    public var warmThroughput: Int?
    /// How records find their shard; default by partition key.
    public var strategy: RecordDistributionStrategy

    /// Reads a request. Throws `SerializationException` and `ValidationException`.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        let name = try reader.string("StreamName", length: StreamReference.nameLength, pattern: .name, required: true)
        shardCount = try reader.integer("ShardCount", in: 1...2_147_483_647)
        let mode = try reader.structure("StreamModeDetails") { details throws(AWSError) in
            try details.string("StreamMode", values: StreamMode.allCases.map(\.rawValue), required: true)
        }
        maxRecordSizeInKiB = try reader.integer("MaxRecordSizeInKiB", in: 1024...10240) ?? 1024
        tags = try reader.tags(required: false) ?? [:]
        warmThroughput = try reader.integer("WarmThroughputMiBps", in: 0...2_147_483_647)
        let strategy = try reader.string(
            "RecordDistributionStrategy",
            values: RecordDistributionStrategy.allCases.map(\.rawValue)
        )
        try reader.finish()
        self.strategy = strategy.flatMap(RecordDistributionStrategy.init) ?? .userPartitionKey
        streamName = name ?? ""
        self.mode = (mode ?? nil).flatMap(StreamMode.init) ?? (shardCount == nil ? .onDemand : .provisioned)
    }
}

/// How a stream's shards are counted.
public enum StreamMode: String, Sendable, CaseIterable {
    /// By the caller.
    case provisioned = "PROVISIONED"
    /// By the service.
    case onDemand = "ON_DEMAND"
}

/// Where a stream is in its life.
public enum StreamStatus: String, Sendable {
    /// Not there yet.
    case creating = "CREATING"
    /// Going away.
    case deleting = "DELETING"
    /// In use.
    case active = "ACTIVE"
    /// In use while its shards or settings change.
    case updating = "UPDATING"
}
