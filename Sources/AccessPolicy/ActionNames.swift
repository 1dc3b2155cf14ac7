/// The actions that policies of a collector can mean.
/// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonkinesisdatastreams.html and its like
enum ActionNames {
    private static let names: [String: [String]] = [
        "kinesis": [
            "AddTagsToStream", "CreateChannel", "CreateStream", "DecreaseStreamRetentionPeriod", "DeleteChannel",
            "DeleteResourcePolicy", "DeleteStream", "DeregisterStreamConsumer", "DescribeAccountSettings",
            "DescribeChannel", "DescribeLimits", "DescribeStream", "DescribeStreamConsumer",
            "DescribeStreamSummary", "DisableEnhancedMonitoring", "EnableEnhancedMonitoring", "GetRecords",
            "GetResourcePolicy", "GetShardIterator", "IncreaseStreamRetentionPeriod", "ListChannels", "ListShards",
            "ListStreamConsumers", "ListStreams", "ListTagsForResource", "ListTagsForStream", "MergeShards",
            "PutRecord", "PutRecords", "PutResourcePolicy", "RegisterStreamConsumer", "RemoveTagsFromStream",
            "SplitShard", "StartStreamEncryption", "StopStreamEncryption", "SubscribeToShard", "TagResource",
            "UntagResource", "UpdateAccountSettings", "UpdateChannel", "UpdateMaxRecordSize", "UpdateShardCount",
            "UpdateStreamMode", "UpdateStreamRecordDistributionStrategy", "UpdateStreamWarmThroughput",
        ],
        "firehose": [
            "CreateDeliveryStream", "DeleteDeliveryStream", "DescribeDeliveryStream", "ListDeliveryStreams",
            "ListTagsForDeliveryStream", "PutRecord", "PutRecordBatch", "StartDeliveryStreamEncryption",
            "StopDeliveryStreamEncryption", "TagDeliveryStream", "UntagDeliveryStream", "UpdateDestination",
        ],
        "dynamodb": [
            "BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "CreateTable", "DeleteItem", "DeleteTable",
            "DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive", "GetItem", "ListTables",
            "ListTagsOfResource", "PutItem", "Query", "Scan", "TagResource", "UntagResource",
            "UpdateContinuousBackups", "UpdateItem", "UpdateTable", "UpdateTimeToLive",
        ],
        "cloudwatch": ["PutMetricData"],
        "kms": ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"],
    ]

    /// Whether a pattern means at least one of the actions.
    static func matchesOne(_ pattern: String) -> Bool {
        guard let wanted = try? Wildcards(pattern, [.wildcards, .anyCase]) else { return false }
        return names.contains { service, operations in
            operations.contains { wanted.mayMatch(Array("\(service):\($0)".lowercased().utf8)[...]) }
        }
    }

    /// What could have been meant: the actions of the service that the pattern names, none for another service.
    static func candidates(for pattern: String) -> [String] {
        let service = pattern.prefix { $0 != ":" }.lowercased()
        return (names[service] ?? []).map { "\(service):\($0)" }
    }
}
