import AWSProtocol

/// `StartStreamEncryption` and `StopStreamEncryption`:
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StartStreamEncryption.html
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StopStreamEncryption.html
public struct StreamEncryptionRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// A key's UUID or ARN, or an alias' name or ARN. 1 to 2,048 characters.
    public var keyID: String

    /// Reads a request. Throws `InvalidArgumentException` for an encryption type other than KMS.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        let type = try reader.string("EncryptionType", values: ["NONE", "KMS"], required: true)
        keyID = try reader.string("KeyId", length: 1...2048, required: true) ?? ""
        if type == "NONE" {
            reader.refuse(.invalidArgument("EncryptionType NONE is not valid for this operation: it must be KMS."))
        }
        try reader.finish()
    }
}
