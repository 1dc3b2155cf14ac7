import AWSProtocol
import AccessPolicy
import KinesisTypes
import StreamModel

/// The gate of every operation: what the caller's policies, and the resource's own, say to it.
///
/// A refusal comes before anything is told of the resource, its existence included.
extension Collector {
    /// Checks an operation on a stream that may not be there.
    func authorize(
        _ request: APIRequest,
        on reference: StreamReference,
        _ stream: Stream?,
        tags: @autoclosure () -> [TagPair] = []
    ) throws(AWSError) {
        guard let caller = request.caller else { return }
        let policy = stream?.policy
        // The path of every put with the account's own key.
        if policy == nil, stream != nil, caller.isUnrestricted(in: configuration.account) { return }
        try caller.require(
            "kinesis:\(request.operation)",
            on: arn(of: reference, request),
            account: owner(of: reference, request),
            policy: policy,
            tags: stream.map { Self.pairs($0.record.settings.tags) } ?? [],
            requestTags: tags()
        )
    }

    /// Checks an operation that is about the account, and returns its request.
    func forAccount(_ request: APIRequest) throws(AWSError) -> APIRequest {
        try request.caller?.require("kinesis:\(request.operation)", on: "*", account: configuration.account)
        return request
    }

    /// A registered consumer and its stream. The caller must be allowed to do this with the consumer.
    func consumer(
        _ reference: ConsumerReference,
        _ request: APIRequest,
        tags: @autoclosure () -> [TagPair] = []
    ) throws(AWSError) -> (stream: Stream, consumer: ConsumerRecord) {
        let stream = find(reference.stream, request)
        if let caller = request.caller {
            let named = stream?.record.consumers.first { $0.name == reference.name }
            let created = reference.created ?? named.map { $0.created / 1000 } ?? 0
            let arn = "\(arn(of: reference.stream, request))/consumer/\(reference.name):\(created)"
            try caller.require(
                "kinesis:\(request.operation)",
                on: arn,
                account: owner(of: reference.stream, request),
                policy: stream?.policy(ofConsumer: "\(reference.name):\(created)"),
                tags: named.map { Self.pairs($0.tags) } ?? [],
                requestTags: tags()
            )
        }
        guard let stream else { throw missing(reference.stream, request) }
        return (stream, try consumer(reference.name, created: reference.created, of: stream.record))
    }

    /// Making a stream with tags needs the right to tag it too.
    /// Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
    func authorizeCreating(_ asked: CreateStreamRequest, _ request: APIRequest) throws(AWSError) {
        guard let caller = request.caller else { return }
        for action in asked.tags.isEmpty ? ["CreateStream"] : ["CreateStream", "AddTagsToStream"] {
            try caller.require(
                "kinesis:\(action)",
                on: streamARN(asked.streamName, request.region, configuration.account),
                account: configuration.account,
                requestTags: Self.pairs(asked.tags)
            )
        }
    }

    /// Registering a consumer with tags needs the right to tag it too.
    /// Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
    func authorizeTagging(
        ofNewConsumer name: String,
        _ tags: [String: String],
        _ stream: Stream,
        _ request: APIRequest
    ) throws(AWSError) {
        try request.caller?.require(
            "kinesis:TagResource",
            on: "\(stream.record.arn(account: configuration.account))/consumer/\(name):\(now() / 1000)",
            account: configuration.account,
            requestTags: Self.pairs(tags)
        )
    }

    /// What a reader of a stream needs, for somebody who lets the service read it: a role's rights are nowhere written here.
    public func authorizeReading(_ name: String, region: String, caller: Caller?) throws(AWSError) {
        let key = StreamKey(region: region, name: name)
        let stream = streams.withLock { $0[key] }
        for action in ["kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords"] {
            try caller?.require(
                action,
                on: streamARN(name, region, configuration.account),
                account: configuration.account,
                policy: stream?.policy,
                tags: stream.map { Self.pairs($0.record.settings.tags) } ?? []
            )
        }
    }

    // MARK: - Names

    /// The stream that a reference names; nil when there is none that users see.
    func find(_ reference: StreamReference, _ request: APIRequest) -> Stream? {
        let key = StreamKey(region: request.region, name: reference.name)
        guard let stream = streams.withLock({ $0[key] }), !stream.record.isHidden else { return nil }
        guard let arn = reference.arn else {
            // A bare name means a stream of the caller's own account.
            return request.caller.map { $0.principal.account == configuration.account } ?? true ? stream : nil
        }
        // An ARN names an account and a region too.
        return arn == stream.record.arn(account: configuration.account) ? stream : nil
    }

    func missing(_ reference: StreamReference, _ request: APIRequest) -> AWSError {
        let account = reference.arn == nil ? owner(of: reference, request) : configuration.account
        return .notFound("Stream \(reference.name) under account \(account) not found.")
    }

    /// A stream of the collector's own account, as a token names it.
    func ownReference(_ name: String, _ request: APIRequest) -> StreamReference {
        let isForeign = request.caller.map { $0.principal.account != configuration.account } ?? false
        return StreamReference(
            name: name,
            arn: isForeign ? streamARN(name, request.region, configuration.account) : nil
        )
    }

    /// Whose stream is meant: the collector's, where it is named, else the caller's own, of whom there is none here.
    private func owner(of reference: StreamReference, _ request: APIRequest) -> String {
        if let arn = reference.arn {
            let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
            if parts.count > 4, parts[4] == configuration.account { return configuration.account }
        }
        return request.caller?.principal.account ?? configuration.account
    }

    private func arn(of reference: StreamReference, _ request: APIRequest) -> String {
        reference.arn ?? streamARN(reference.name, request.region, owner(of: reference, request))
    }

    private func streamARN(_ name: String, _ region: String, _ account: String) -> String {
        "arn:aws:kinesis:\(region):\(account):stream/\(name)"
    }

    static func pairs(_ tags: [String: String]) -> [TagPair] { tags.map { TagPair($0.key, $0.value) } }
}

/// The policies on a stream and on its consumers, parsed once for each change.
struct ResourcePolicies: Sendable {
    private var texts: [String: String]
    /// Nil where the stream has none.
    var stream: PolicyDocument?
    /// By `NAME:SECONDS`, as a consumer's ARN ends.
    var consumers: [String: PolicyDocument] = [:]

    init(_ record: StreamRecord) {
        texts = Self.texts(of: record)
        for (name, text) in texts {
            if name.isEmpty {
                stream = PolicyDocument(stored: text)
            } else {
                consumers[name] = PolicyDocument(stored: text)
            }
        }
    }

    /// Whether these are the row's.
    func are(of record: StreamRecord) -> Bool { texts == Self.texts(of: record) }

    private static func texts(of record: StreamRecord) -> [String: String] {
        var texts: [String: String] = [:]
        if let policy = record.settings.policy { texts[""] = policy }
        for consumer in record.consumers {
            if let policy = consumer.policy { texts["\(consumer.name):\(consumer.created / 1000)"] = policy }
        }
        return texts
    }
}
