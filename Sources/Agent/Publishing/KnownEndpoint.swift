/// A publisher that keeps who was found at its endpoint, before the first record is sent: how records are keyed depends
/// on it, and a record that is sent again must be keyed as before.
struct KnownEndpoint: RecordPublisher {
    let publisher: AWSPublisher
    let store: CheckpointStore
    let flow: String

    func probe() async throws(PublishError) -> EndpointKind {
        var publisher = publisher
        publisher.expectsMillrace = try stored { () throws(AgentError) in
            try store.isMillrace(flow: flow, endpoint: publisher.endpoint)
        }
        let kind = try await publisher.probe()
        try stored { () throws(AgentError) in
            try store.setEndpoint(publisher.endpoint, isMillrace: kind != .aws, flow: flow)
        }
        return kind
    }

    func publish(_ request: PublishRequest) async throws(PublishError) -> [RecordFailure] {
        try await publisher.publish(request)
    }

    private func stored<Value>(_ body: () throws(AgentError) -> Value) throws(PublishError) -> Value {
        do throws(AgentError) { return try body() } catch {
            throw PublishError(code: "StateFolder", message: error.description)
        }
    }
}
