import AWSProtocol

/// `UpdateDestination`; the answer is `{}`.
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_UpdateDestination.html
public struct UpdateDestinationRequest: Sendable {
    /// `DeliveryStreamName`
    public var name: String
    /// `CurrentDeliveryStreamVersionId`
    public var version: String
    /// `DestinationId`
    public var destinationID: String
    private var reader: RequestReader
    private var member: String

    /// Reads a request. Throws `SerializationException`, `ValidationException` and `InvalidArgumentException`.
    public init(body: [UInt8]) throws(AWSError) {
        reader = try RequestReader(body: body)
        name = try reader.deliveryStreamName()
        version =
            try reader.string(
                "CurrentDeliveryStreamVersionId",
                length: 1...50,
                pattern: FirehoseConstraints.version,
                required: true
            ) ?? ""
        destinationID =
            try reader.string(
                "DestinationId",
                length: 1...100,
                pattern: FirehoseConstraints.destinationID,
                required: true
            ) ?? ""
        let given = CreateDeliveryStreamRequest.destinations.map(Self.updateName).filter { [reader] in
            reader.raw($0) != nil
        }
        member = given.first ?? ""
        if !CreateDeliveryStreamRequest.supported.map(Self.updateName).contains(member) || given.count != 1 {
            try reader.finish()
            guard given.count == 1 else {
                throw .invalidArgument("Exactly one destination configuration is supported for a Firehose")
            }
            throw .invalidArgument("\(member) is not supported: this server has ExtendedS3DestinationUpdate only")
        }
    }

    private static func updateName(_ configuration: String) -> String {
        String(configuration.dropLast("Configuration".count)) + "Update"
    }

    /// The destination after the update: members that are not given stay as they are. Throws what `init` throws.
    public func merged(over destination: S3Destination) throws(AWSError) -> S3Destination {
        var reader = reader
        let merged = try reader.structure(member) { nested throws(AWSError) in
            try S3Destination(reading: &nested, over: destination)
        }
        try reader.finish()
        return merged ?? destination
    }
}
