import AWSProtocol

/// `CreateDeliveryStream`
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
public struct CreateDeliveryStreamRequest: Sendable, Equatable {
    /// The data stream to read.
    public struct Source: Sendable, Equatable {
        /// `KinesisStreamARN`
        public var streamARN: String
        /// `RoleARN`
        public var roleARN: String

        /// A data stream to read.
        public init(streamARN: String, roleARN: String) {
            self.streamARN = streamARN
            self.roleARN = roleARN
        }

        /// The data stream's name.
        public var streamName: String {
            String(streamARN[(streamARN.lastIndex(of: "/") ?? streamARN.startIndex)...].dropFirst())
        }
        /// The data stream's region.
        public var region: String { String(streamARN.split(separator: ":", omittingEmptySubsequences: false)[3]) }
    }

    /// `DeliveryStreamName`, 1 to 64 of `[a-zA-Z0-9_.-]`.
    public var name: String
    /// What a `KinesisStreamAsSource` delivery stream reads; nil for `DirectPut`.
    public var source: Source?
    /// Where records go.
    public var destination: S3Destination
    /// Up to 50.
    public var tags: [(key: String, value: String)]

    /// Reads a request. Throws `SerializationException`, `ValidationException` and `InvalidArgumentException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        name = try reader.deliveryStreamName()
        let type =
            try reader.string("DeliveryStreamType", values: FirehoseConstraints.types) ?? "DirectPut"
        source = try reader.structure("KinesisStreamSourceConfiguration") { source throws(AWSError) in
            Source(
                streamARN: try source.string(
                    "KinesisStreamARN",
                    length: 1...512,
                    pattern: FirehoseConstraints.streamARN,
                    required: true
                ) ?? "",
                roleARN: try source.string(
                    "RoleARN",
                    length: 1...512,
                    pattern: FirehoseConstraints.roleARN,
                    required: true
                ) ?? ""
            )
        }
        tags = try Self.tags(&reader)
        let given = Self.destinations.filter { reader.raw($0) != nil }
        let member = given.first ?? Self.supported[0]
        let destination = try reader.structure(member) { nested throws(AWSError) -> S3Destination? in
            Self.supported.contains(member) ? try S3Destination(reading: &nested) : nil
        }
        try reader.finish()
        guard given.count == 1 else {
            throw .invalidArgument("Exactly one destination configuration is supported for a Firehose")
        }
        guard let found = destination, let destination = found else {
            throw .invalidArgument(
                "\(member) is not supported: this server has ExtendedS3DestinationConfiguration only"
            )
        }
        self.destination = destination
        if reader.raw("DeliveryStreamEncryptionConfigurationInput") != nil {
            throw .invalidArgument("DeliveryStreamEncryptionConfigurationInput is not supported by this server")
        }
        switch (type, source) {
        case ("DirectPut", nil), ("KinesisStreamAsSource", .some): break
        case ("DirectPut", .some):
            throw .invalidArgument("KinesisStreamSourceConfiguration is not allowed with DeliveryStreamType DirectPut")
        case ("KinesisStreamAsSource", nil):
            throw .invalidArgument("KinesisStreamSourceConfiguration is required with DeliveryStreamType \(type)")
        default: throw .invalidArgument("DeliveryStreamType \(type) is not supported by this server")
        }
    }

    static let supported = ["ExtendedS3DestinationConfiguration", "S3DestinationConfiguration"]
    static let destinations =
        supported + [
            "RedshiftDestinationConfiguration", "ElasticsearchDestinationConfiguration",
            "AmazonopensearchserviceDestinationConfiguration", "SplunkDestinationConfiguration",
            "HttpEndpointDestinationConfiguration", "AmazonOpenSearchServerlessDestinationConfiguration",
            "SnowflakeDestinationConfiguration", "IcebergDestinationConfiguration",
        ]

    private static func tags(_ reader: inout RequestReader) throws(AWSError) -> [(key: String, value: String)] {
        guard let list = try reader.list("Tags") else { return [] }
        if list.isEmpty { reader.note("[]", "Tags", "Member must have length greater than or equal to 1") }
        if list.count > 50 {
            reader.note("\(list.count) tags", "Tags", "Member must have length less than or equal to 50")
        }
        var tags: [(key: String, value: String)] = []
        for (index, tag) in list.enumerated() {
            guard let key = tag["Key"]?.string else {
                reader.note(nil, "tags.\(index + 1).member.key", "Member must not be null")
                continue
            }
            if !(1...128).contains(key.utf16.count) {
                let bound = key.isEmpty ? "greater than or equal to 1" : "less than or equal to 128"
                reader.note(key, "tags.\(index + 1).member.key", "Member must have length \(bound)")
            }
            let value = tag["Value"]?.string ?? ""
            if value.utf16.count > 256 {
                let constraint = "Member must have length less than or equal to 256"
                reader.note(value, "tags.\(index + 1).member.value", constraint)
            }
            tags.append((key, value))
        }
        return tags
    }

    /// Equal when every member is.
    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.name == rhs.name && lhs.source == rhs.source && lhs.destination == rhs.destination
            && lhs.tags.elementsEqual(rhs.tags, by: ==)
    }
}

/// The answer: `DeliveryStreamARN`.
public func createDeliveryStreamResponse(arn: String) -> [UInt8] {
    jsonBytes {
        $0.name("DeliveryStreamARN")
        $0.string(arn)
    }
}
