import AWSProtocol

/// `PutResourcePolicy`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutResourcePolicy.html
public struct PutResourcePolicyRequest: Sendable {
    /// A stream or a consumer.
    public var resource: ResourceReference
    /// The policy's JSON, kept verbatim.
    public var policy: String

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        resource = try reader.resource()
        policy = try reader.string("Policy", required: true) ?? ""
        try reader.finish()
    }
}

/// `GetResourcePolicy` and `DeleteResourcePolicy`:
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetResourcePolicy.html
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeleteResourcePolicy.html
public struct ResourcePolicyRequest: Sendable {
    /// A stream or a consumer.
    public var resource: ResourceReference

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        resource = try reader.resource()
        try reader.finish()
    }
}
