import AWSProtocol

/// Names what tags and policies can be attached to: a stream, or a consumer of one.
public struct ResourceReference: Sendable, Equatable {
    /// As it was given.
    public var arn: String
    /// The stream's name.
    public var stream: String
    /// The consumer, where one is named.
    public var consumer: ConsumerARN?

    /// Reads an ARN; nil when it names neither.
    public init?(arn: String) {
        self.arn = arn
        if let consumer = ConsumerARN(arn) {
            self.consumer = consumer
            stream = consumer.stream
        } else if let name = StreamReference.streamName(inARN: arn) {
            stream = name
        } else {
            return nil
        }
    }

    /// The stream's own ARN.
    public var streamARN: String { consumer?.streamARN ?? arn }

    static let pattern = Pattern("arn:aws.*:kinesis:.*:\\d{12}:.*stream/\\S+") { ResourceReference(arn: $0) != nil }
}

/// `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECONDS`: the time of registration tells consumers of one name
/// apart.
public struct ConsumerARN: Sendable, Equatable {
    /// The stream's name.
    public var stream: String
    /// The stream's own ARN.
    public var streamARN: String
    /// The consumer's name.
    public var name: String
    /// When it was registered, in seconds since 1970.
    public var created: Int64

    /// Reads an ARN; nil when it is none of a consumer.
    public init?(_ arn: String) {
        guard let path = StreamReference.streamName(inARN: arn) else { return nil }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1] == "consumer", Pattern.name.matches(String(parts[0])),
            let colon = parts[2].lastIndex(of: ":"), let created = Int64(parts[2][parts[2].index(after: colon)...]),
            Pattern.name.matches(String(parts[2][..<colon]))
        else { return nil }
        stream = String(parts[0])
        streamARN = String(arn.dropLast(path.count) + parts[0])
        name = String(parts[2][..<colon])
        self.created = created
    }

    static let pattern = Pattern(
        "^(arn):aws.*:kinesis:.*:\\d{12}:.*stream\\/[a-zA-Z0-9_.-]+\\/consumer\\/[a-zA-Z0-9_.-]+:[0-9]+"
    ) { ConsumerARN($0) != nil }
}

extension RequestReader {
    /// `ResourceARN`, required.
    mutating func resource() throws(AWSError) -> ResourceReference {
        let arn = try string("ResourceARN", length: 1...2048, pattern: ResourceReference.pattern, required: true)
        // A broken one is noted already; `finish` throws before anybody looks at this one.
        return arn.flatMap(ResourceReference.init(arn:)) ?? ResourceReference.none
    }
}

extension ResourceReference {
    fileprivate static let none = ResourceReference(arn: "arn:aws:kinesis:-:000000000000:stream/-")!
}
