import AWSProtocol
import AccessPolicy
import FirehoseTypes

/// The gate of every operation on delivery streams: what the caller's policies say to it. A refusal comes before anything is
/// told of the delivery stream.
struct DeliveryGate {
    let service: DeliveryService
    let operation: String
    let region: String
    let caller: Caller?

    /// An operation on a delivery stream that may not be there.
    func check(_ name: String) async throws(AWSError) {
        guard let caller, !caller.isUnrestricted(in: service.account) else { return }
        let tags = try await tags(of: name)
        try caller.require("firehose:\(operation)", on: arn(name), account: service.account, tags: tags)
    }

    /// An operation that is about the account.
    func checkAccount() throws(AWSError) {
        try caller?.require("firehose:\(operation)", on: "*", account: service.account)
    }

    /// Tags need the right to tag, and a source the right to read it: a role's rights are nowhere written here.
    /// Source: https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
    func check(creating request: CreateDeliveryStreamRequest) async throws(AWSError) {
        if let source = request.source {
            try service.access.authorizeReading(source.streamName, region: source.region, caller: caller)
        }
        guard let caller, !caller.isUnrestricted(in: service.account) else { return }
        for action in request.tags.isEmpty ? [operation] : [operation, "TagDeliveryStream"] {
            try caller.require(
                "firehose:\(action)",
                on: arn(request.name),
                account: service.account,
                requestTags: request.tags.map { TagPair($0.key, $0.value) }
            )
        }
    }

    private func tags(of name: String) async throws(AWSError) -> [TagPair] {
        let known = service.cache.withLock { $0[DeliveryConfig.key(name, region)]?.config }
        let config = if let known { known } else { try await service.row(name, region)?.config }
        return config?.tags.map { TagPair($0.key, $0.value) } ?? []
    }

    private func arn(_ name: String) -> String {
        "arn:aws:firehose:\(region):\(service.account):deliverystream/\(name)"
    }
}
