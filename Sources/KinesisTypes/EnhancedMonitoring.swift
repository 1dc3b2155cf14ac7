import AWSProtocol

/// `EnableEnhancedMonitoring` and `DisableEnhancedMonitoring`:
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_EnableEnhancedMonitoring.html
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DisableEnhancedMonitoring.html
public struct EnhancedMonitoringRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// Concrete names: `ALL` is resolved.
    public var metrics: Set<ShardLevelMetric>

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        let names = try reader.strings(
            "ShardLevelMetrics",
            count: 1...7,
            values: ShardLevelMetric.allCases.map(\.rawValue) + ["ALL"],
            required: true
        )
        try reader.finish()
        let all = names ?? []
        metrics = all.contains("ALL") ? Set(ShardLevelMetric.allCases) : Set(all.compactMap(ShardLevelMetric.init))
    }
}

/// What CloudWatch can be told of single shards.
public enum ShardLevelMetric: String, Sendable, CaseIterable {
    /// Bytes put, over the time.
    case incomingBytes = "IncomingBytes"
    /// Records put, over the time.
    case incomingRecords = "IncomingRecords"
    /// Bytes read, over the time.
    case outgoingBytes = "OutgoingBytes"
    /// Records read, over the time.
    case outgoingRecords = "OutgoingRecords"
    /// Records refused because of the shard's limit.
    case writeProvisionedThroughputExceeded = "WriteProvisionedThroughputExceeded"
    /// Calls of GetRecords refused because of the shard's limit.
    case readProvisionedThroughputExceeded = "ReadProvisionedThroughputExceeded"
    /// Age of the last record that GetRecords answered.
    case iteratorAgeMilliseconds = "IteratorAgeMilliseconds"
}
