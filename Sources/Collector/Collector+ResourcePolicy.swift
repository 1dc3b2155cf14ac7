import AWSProtocol
import AccessPolicy
import KinesisTypes

/// Resource policies of streams and consumers. Their text is kept as it was given.
extension Collector {
    func putResourcePolicy(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try PutResourcePolicyRequest(body: request.body, format: request.format)
        // The policy is looked at before the resource; who may not put one learns nothing of either.
        try checkPlace(of: asked.resource.arn, request)
        let found = Result { () throws(AWSError) in try resource(asked.resource, request) }
        if case .failure(let error) = found, error.code != AWSError.notFound("").code { throw error }
        try Self.checkPolicy(asked.policy, for: asked.resource)
        let (stream, consumer) = try found.get()
        try await setPolicy(asked.policy, of: stream, consumer)
        return []
    }

    private static func checkPolicy(_ text: String, for resource: ResourceReference) throws(AWSError) {
        do throws(PolicyProblems) {
            _ = try PolicyDocument(
                resourcePolicy: text,
                on: resource.arn,
                actions: resource.consumer == nil ? streamActions : consumerActions
            )
        } catch {
            throw .invalidArgument("Policy validation error: \(error)")
        }
    }

    /// What other accounts can be allowed with a stream, and with a consumer.
    /// Source: https://docs.aws.amazon.com/streams/latest/dev/resource-based-policy-examples.html
    private static let streamActions = [
        "DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards", "PutRecord",
        "PutRecords",
    ].map { "kinesis:" + $0 }
    private static let consumerActions = ["DescribeStreamConsumer", "SubscribeToShard"].map { "kinesis:" + $0 }

    /// AWS looks here, and nowhere else, at the region and the account by themselves.
    private func checkPlace(of arn: String, _ request: APIRequest) throws(AWSError) {
        let fields = arn.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count > 5 else { return }
        guard fields[3] == request.region else {
            throw .invalidArgument("The region specified in the ARN '\(arn)' does not match the endpoint region")
        }
        guard fields[4] == configuration.account else {
            throw AWSError("UnrecognizedClientException", "No account found for the given parameters")
        }
    }

    func getResourcePolicy(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try ResourcePolicyRequest(body: request.body, format: request.format)
        try checkPlace(of: asked.resource.arn, request)
        let (stream, consumer) = try resource(asked.resource, request)
        let policy = consumer.map(\.policy) ?? stream.record.settings.policy
        return request.answer { json in
            json.name("Policy")
            json.string(policy ?? "{}")
        }
    }

    func deleteResourcePolicy(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try ResourcePolicyRequest(body: request.body, format: request.format)
        try checkPlace(of: asked.resource.arn, request)
        let (stream, consumer) = try resource(asked.resource, request)
        guard (consumer.map(\.policy) ?? stream.record.settings.policy) != nil else {
            throw .notFound("No resource policy found for resource ARN \(asked.resource.arn).")
        }
        try await setPolicy(nil, of: stream, consumer)
        return []
    }

    private func setPolicy(_ policy: String?, of stream: Stream, _ consumer: ConsumerRecord?) async throws(AWSError) {
        try await change(of: stream) { record throws(AWSError) in
            if record.status == .creating || record.status == .deleting { try requireActive(record) }
            guard let consumer else {
                record.settings.policy = policy
                return
            }
            let at = try index(of: consumer, in: record)
            record.consumers[at].policy = policy
        }
    }
}
