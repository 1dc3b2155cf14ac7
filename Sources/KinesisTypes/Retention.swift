import AWSProtocol

/// `IncreaseStreamRetentionPeriod` and `DecreaseStreamRetentionPeriod`:
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_IncreaseStreamRetentionPeriod.html
/// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DecreaseStreamRetentionPeriod.html
public struct RetentionPeriodRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// 24 to 8,760.
    public var hours: Int

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        hours = try reader.integer("RetentionPeriodHours", in: 1...Int(Int32.max), required: true) ?? 0
        try reader.finish()
    }
}

/// `UpdateMaxRecordSize`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateMaxRecordSize.html
public struct UpdateMaxRecordSizeRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// 1,024 to 10,240.
    public var kibibytes: Int

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        let arn = try reader.string("StreamARN", length: 1...2048, pattern: StreamReference.arnPattern)
        if reader.raw("StreamARN") == nil {
            reader.refuse(.invalidArgument("StreamARN must be provided."))
        }
        stream = StreamReference(name: arn.flatMap(StreamReference.streamName(inARN:)) ?? "", arn: arn)
        kibibytes = try reader.integer("MaxRecordSizeInKiB", in: 1024...10_240, required: true) ?? 0
        try reader.finish()
    }
}
