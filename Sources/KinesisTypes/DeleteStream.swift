import AWSProtocol

/// `DeleteStream`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeleteStream.html
public struct DeleteStreamRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// Whether registered consumers go too; default false.
    public var enforceConsumerDeletion: Bool

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        enforceConsumerDeletion = try reader.bool("EnforceConsumerDeletion") ?? false
        try reader.finish()
    }
}
