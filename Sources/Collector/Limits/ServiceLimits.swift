import StreamModel

/// AWS's limits and quotas, each a number that can be changed.
/// Source: "Quotas and limits" in the Kinesis Data Streams developer guide, and the operations' own pages.
public struct ServiceLimits: Sendable, Hashable {
    /// What one shard takes and gives. A shard of an on-demand stream has the same limits, as a partition key has on AWS; the
    /// stream's own limit is that of its shards together, 4 MiB/s to begin with, and follows the traffic by splitting them.
    public var shard = ShardLimits()
    /// What one direct-put delivery stream takes: 5 MiB and 500,000 records a second.
    public var delivery = ShardLimits(writeBytes: 5 << 20, writeRecords: 500_000)
    /// Bytes that one consumer of enhanced fan-out is sent of one shard; default 2 MiB a second.
    public var subscriptionBytes = Rate(perSecond: 2 << 20)
    /// Open shards of provisioned streams per region; nil: 20,000 in the three big regions and 6,000 in the others.
    public var shardsPerAccount: Int?
    /// Shards that a stream has at most; default 10,000.
    public var shardsPerStream = 10_000
    /// Streams in on-demand mode per region; default 50.
    public var onDemandStreams = 50
    /// Streams that are CREATING at a time; default 5.
    public var creatingStreams = 5
    /// Consumers of a stream; default 20, and 50 with the minimum throughput billing commitment whatever stands here.
    public var consumersPerStream = 20
    /// Calls a second, by operation. Those without a number are not counted.
    public var callsPerSecond = ServiceLimits.awsCallsPerSecond
    /// Seconds' worth of control calls that may be made at once after a pause; default 4.
    ///
    /// AWS lets a client be a little faster than the rate for a moment, without saying how much. Here a call takes a
    /// millisecond, not the tenth of a second that it takes there: a script or a test suite that never reached AWS's rate comes
    /// here in bursts. On the long run the rate is AWS's.
    public var controlBurstSeconds = 4
    /// When on-demand streams scale.
    public var scaling = ScalingRules()

    /// AWS's.
    public init() {}

    /// AWS's.
    public static let aws = ServiceLimits()

    /// Shards that the account may have open in the region.
    func shards(in region: String) -> Int {
        shardsPerAccount ?? (["us-east-1", "us-west-2", "eu-west-1"].contains(region) ? 20_000 : 6000)
    }

    /// The bucket of an operation that may be called so often a second.
    func callRate(_ perSecond: Int) -> Rate {
        Rate(perSecond: perSecond, burst: perSecond * max(1, controlBurstSeconds))
    }

    /// Operations that count per stream, or per stream's consumers; the others count per account.
    static let perStream: Set<String> = [
        "ListShards", "DescribeStreamConsumer", "ListStreamConsumers", "DeregisterStreamConsumer",
    ]

    private static let awsCallsPerSecond: [String: Int] = [
        "AddTagsToStream": 5, "CreateChannel": 5, "CreateStream": 5, "DecreaseStreamRetentionPeriod": 5,
        "DeleteChannel": 5, "DeleteResourcePolicy": 5, "DeleteStream": 5, "DeregisterStreamConsumer": 5,
        "DescribeAccountSettings": 5, "DescribeChannel": 5, "DescribeLimits": 1, "DescribeStream": 10,
        "DescribeStreamConsumer": 20, "DescribeStreamSummary": 20, "DisableEnhancedMonitoring": 5,
        "EnableEnhancedMonitoring": 5, "GetResourcePolicy": 5, "IncreaseStreamRetentionPeriod": 5, "ListChannels": 5,
        "ListShards": 1000, "ListStreamConsumers": 5, "ListStreams": 5, "ListTagsForResource": 5,
        "ListTagsForStream": 5, "MergeShards": 5, "PutResourcePolicy": 5, "RegisterStreamConsumer": 5,
        "RemoveTagsFromStream": 5, "SplitShard": 5, "StartStreamEncryption": 5, "StopStreamEncryption": 5,
        "TagResource": 5, "UntagResource": 5, "UpdateAccountSettings": 5, "UpdateChannel": 5,
        "UpdateMaxRecordSize": 5, "UpdateShardCount": 10, "UpdateStreamMode": 5,
        "UpdateStreamRecordDistributionStrategy": 5, "UpdateStreamWarmThroughput": 5,
    ]
}
