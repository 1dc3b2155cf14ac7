import AWSProtocol

/// `DescribeDeliveryStream`
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_DescribeDeliveryStream.html
public struct DescribeDeliveryStreamRequest: Sendable, Equatable {
    /// `DeliveryStreamName`
    public var name: String

    /// Reads a request; `Limit` and `ExclusiveStartDestinationId` are checked, but there is one destination. Throws
    /// `SerializationException` and `ValidationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        name = try reader.deliveryStreamName()
        _ = try reader.integer("Limit", in: 1...10000)
        _ = try reader.string(
            "ExclusiveStartDestinationId",
            length: 1...100,
            pattern: FirehoseConstraints.destinationID
        )
        try reader.finish()
    }
}

/// What `DescribeDeliveryStream` tells.
public struct DeliveryStreamDescription: Sendable {
    /// The data stream a delivery stream reads.
    public struct Source: Sendable {
        /// `KinesisStreamARN`
        public var streamARN: String
        /// `RoleARN`
        public var roleARN: String
        /// `DeliveryStartTimestamp`, milliseconds since 1970.
        public var startMilliseconds: Int64

        /// A source.
        public init(streamARN: String, roleARN: String, startMilliseconds: Int64) {
            self.streamARN = streamARN
            self.roleARN = roleARN
            self.startMilliseconds = startMilliseconds
        }
    }

    /// The one destination's id.
    public static let destinationID = "destinationId-000000000001"

    /// `DeliveryStreamName`
    public var name: String
    /// `DeliveryStreamARN`
    public var arn: String
    /// `DeliveryStreamStatus`, such as `ACTIVE`.
    public var status: String
    /// `VersionId`, a decimal number.
    public var version: String
    /// `CreateTimestamp`, milliseconds since 1970.
    public var createdMilliseconds: Int64
    /// `LastUpdateTimestamp`; nil before the first update.
    public var updatedMilliseconds: Int64?
    /// nil for `DirectPut`.
    public var source: Source?
    /// Where records go.
    public var destination: S3Destination

    /// A description.
    public init(
        name: String,
        arn: String,
        status: String,
        version: String,
        createdMilliseconds: Int64,
        updatedMilliseconds: Int64?,
        source: Source?,
        destination: S3Destination
    ) {
        self.name = name
        self.arn = arn
        self.status = status
        self.version = version
        self.createdMilliseconds = createdMilliseconds
        self.updatedMilliseconds = updatedMilliseconds
        self.source = source
        self.destination = destination
    }

    /// The answer.
    public func response() -> [UInt8] {
        jsonBytes(reserving: 1024) {
            $0.name("DeliveryStreamDescription")
            $0.object(write)
        }
    }

    private func write(_ writer: inout JSONWriter) {
        writer.optional("DeliveryStreamName", name)
        writer.optional("DeliveryStreamARN", arn)
        writer.optional("DeliveryStreamStatus", status)
        writer.optional("DeliveryStreamType", source == nil ? "DirectPut" : "KinesisStreamAsSource")
        writer.optional("VersionId", version)
        writer.name("CreateTimestamp")
        writer.timestamp(milliseconds: createdMilliseconds)
        if let updatedMilliseconds {
            writer.name("LastUpdateTimestamp")
            writer.timestamp(milliseconds: updatedMilliseconds)
        }
        if let source {
            writer.name("Source")
            writer.object {
                $0.name("KinesisStreamSourceDescription")
                $0.object {
                    $0.optional("KinesisStreamARN", source.streamARN)
                    $0.optional("RoleARN", source.roleARN)
                    $0.name("DeliveryStartTimestamp")
                    $0.timestamp(milliseconds: source.startMilliseconds)
                }
            }
        }
        writer.name("Destinations")
        writer.array {
            $0.object {
                $0.optional("DestinationId", Self.destinationID)
                $0.name("S3DestinationDescription")
                $0.object { destination.write(to: &$0, extended: false) }
                $0.name("ExtendedS3DestinationDescription")
                $0.object { destination.write(to: &$0) }
            }
        }
        writer.name("HasMoreDestinations")
        writer.bool(false)
    }
}
