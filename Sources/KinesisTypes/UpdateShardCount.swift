import AWSProtocol

/// `UpdateShardCount`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
public struct UpdateShardCountRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// Open shards wanted, 1 or more.
    public var target: Int

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        target = try reader.integer("TargetShardCount", in: 1...2_147_483_647, required: true) ?? 1
        _ = try reader.string("ScalingType", values: ["UNIFORM_SCALING"], required: true)
        try reader.finish()
    }
}
