/// `X-Amz-Target`: which operation of which service.
struct Target {
    enum Service {
        case kinesis, firehose, dynamoDB

        init?(_ name: Substring) {
            switch name {
            case "Kinesis_20131202": self = .kinesis
            case "Firehose_20150804": self = .firehose
            case "DynamoDB_20120810": self = .dynamoDB
            default: return nil
            }
        }

        /// As signatures name it.
        var signingName: String {
            switch self {
            case .kinesis: "kinesis"
            case .firehose: "firehose"
            case .dynamoDB: "dynamodb"
            }
        }

        /// Every operation of AWS's service: another is unknown before anybody asks who sent it.
        var operations: Set<String> {
            switch self {
            case .kinesis: OperationNames.kinesis
            case .firehose: OperationNames.firehose
            case .dynamoDB: OperationNames.dynamoDB
            }
        }
    }

    var service: Service
    var operation: String

    /// Nil when there is no such operation.
    init?(_ header: String?) {
        guard let header, let dot = header.utf8.lastIndex(of: UInt8(ascii: ".")), let service = Service(header[..<dot])
        else { return nil }
        self.service = service
        operation = String(header[header.utf8.index(after: dot)...])
        guard service.operations.contains(operation) else { return nil }
    }

    /// Whether a header names a service and an operation at all, known or not.
    static func isComplete(_ header: String?) -> Bool {
        let parts = (header ?? "").split(separator: ".", omittingEmptySubsequences: false)
        return parts.count > 1 && !parts[0].isEmpty && !parts[1].isEmpty
    }
}

/// The operations of the services' models: botocore 1.43.106.
private enum OperationNames {
    static let kinesis: Set = [
        "AddTagsToStream", "CreateChannel", "CreateStream", "DecreaseStreamRetentionPeriod", "DeleteChannel",
        "DeleteResourcePolicy", "DeleteStream", "DeregisterStreamConsumer", "DescribeAccountSettings",
        "DescribeChannel",
        "DescribeLimits", "DescribeStream", "DescribeStreamConsumer", "DescribeStreamSummary",
        "DisableEnhancedMonitoring", "EnableEnhancedMonitoring", "GetRecords", "GetResourcePolicy", "GetShardIterator",
        "IncreaseStreamRetentionPeriod", "ListChannels", "ListShards", "ListStreamConsumers", "ListStreams",
        "ListTagsForResource", "ListTagsForStream", "MergeShards", "PutRecord", "PutRecords", "PutResourcePolicy",
        "RegisterStreamConsumer", "RemoveTagsFromStream", "SplitShard", "StartStreamEncryption", "StopStreamEncryption",
        "SubscribeToShard", "TagResource", "UntagResource", "UpdateAccountSettings", "UpdateChannel",
        "UpdateMaxRecordSize", "UpdateShardCount", "UpdateStreamMode", "UpdateStreamRecordDistributionStrategy",
        "UpdateStreamWarmThroughput",
    ]

    static let firehose: Set = [
        "CreateDeliveryStream", "DeleteDeliveryStream", "DescribeDeliveryStream", "ListDeliveryStreams",
        "ListTagsForDeliveryStream", "PutRecord", "PutRecordBatch", "StartDeliveryStreamEncryption",
        "StopDeliveryStreamEncryption", "TagDeliveryStream", "UntagDeliveryStream", "UpdateDestination",
    ]

    /// The subset that lease tables need.
    static let dynamoDB: Set = [
        "CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive",
        "GetItem", "ListTables", "PutItem", "Query", "Scan", "UpdateContinuousBackups", "UpdateItem", "UpdateTable",
        "UpdateTimeToLive",
    ]
}
