import AWSProtocol

/// `DeleteDeliveryStream`; the answer is `{}`.
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_DeleteDeliveryStream.html
public struct DeleteDeliveryStreamRequest: Sendable, Equatable {
    /// `DeliveryStreamName`
    public var name: String
    /// `AllowForceDelete`, default false: here, deletes without waiting for delivery.
    public var allowForceDelete: Bool

    /// Reads a request. Throws `SerializationException` and `ValidationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        name = try reader.deliveryStreamName()
        allowForceDelete = try reader.bool("AllowForceDelete") ?? false
        try reader.finish()
    }
}
