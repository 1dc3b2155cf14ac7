import AWSProtocol
import AccessPolicy
import KinesisTypes

/// Resource policies of streams and consumers. Their text is kept as it was given.
extension Collector {
    func putResourcePolicy(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try PutResourcePolicyRequest(body: request.body, format: request.format)
        let (stream, consumer) = try resource(asked.resource, request)
        try checkPolicy(asked.policy, for: asked.resource.arn)
        try await setPolicy(asked.policy, of: stream, consumer)
        return []
    }

    private func checkPolicy(_ text: String, for arn: String) throws(AWSError) {
        do throws(PolicyProblems) {
            _ = try PolicyDocument(resourcePolicy: text, on: arn)
        } catch {
            throw .invalidArgument("The resource policy is not a valid policy document: \(error)")
        }
    }

    func getResourcePolicy(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try ResourcePolicyRequest(body: request.body, format: request.format)
        let (stream, consumer) = try resource(asked.resource, request)
        let policy = consumer.map(\.policy) ?? stream.record.settings.policy
        return request.answer { json in
            json.name("Policy")
            json.string(policy ?? "{}")
        }
    }

    func deleteResourcePolicy(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try ResourcePolicyRequest(body: request.body, format: request.format)
        let (stream, consumer) = try resource(asked.resource, request)
        guard (consumer.map(\.policy) ?? stream.record.settings.policy) != nil else {
            throw .notFound("There is no resource policy for \(asked.resource.arn).")
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
