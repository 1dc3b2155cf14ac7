import AWSProtocol
import KinesisTypes

/// Delivery channels (botocore's service model 1.43.106). This service has none: DescribeLimits says that the account may have
/// 0 of them, and the operations answer as AWS does for such an account. Delivery streams do their work here.
extension Collector {
    func channelOperation(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        var reader = try RequestReader(body: request.body, format: request.format)
        switch request.operation {
        case "CreateChannel":
            _ = try reader.string("ChannelName", length: 1...128, pattern: .name, required: true)
            _ = try reader.string("ServiceExecutionRoleARN", length: 1...512, required: true)
            if reader.raw("StreamConfigurationList") == nil {
                reader.note(nil, "StreamConfigurationList", "Member must not be null")
            }
            try reader.finish()
            throw .limitExceeded(
                "This request would exceed the channel limit for the account \(configuration.account) in "
                    + "\(request.region). Current channel count for the account: 0. Limit: 0. Delivery streams of the "
                    + "Firehose API write records to files here."
            )
        case "ListChannels":
            _ = try reader.integer("MaxResults", in: 1...10_000)
            let token = try reader.string("NextToken", length: 1...1_048_576)
            try reader.finish()
            // A list without a second page gives no tokens out.
            if token != nil { throw .invalidArgument("NextToken is invalid.") }
            return request.answer { json in
                json.name("ChannelSummaries")
                json.array { _ in }
            }
        default:
            let arn = try reader.string("ChannelARN", length: 1...2048, required: true)
            try reader.finish()
            throw .notFound("Channel \(arn ?? "") under account \(configuration.account) not found.")
        }
    }
}
