import AWSProtocol

/// `GetRecords`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
public struct GetRecordsRequest: Sendable {
    /// Opaque, 1 to 512 characters.
    public var shardIterator: String
    /// 1 to 10,000, default 10,000.
    public var limit: Int
    /// Must be the iterator's stream where given.
    public var streamARN: String?
    /// Whether only permission and validity are asked for.
    public var isDryRun: Bool

    /// Reads a request. An iterator in double quotes, as people paste it, is taken without them.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        let text = try reader.string("ShardIterator", length: 1...512, required: true)
        limit = try reader.integer("Limit", in: 1...10_000) ?? 10_000
        streamARN = try reader.string("StreamARN", length: 1...2048, pattern: StreamReference.arnPattern)
        isDryRun = try reader.bool("DryRun") ?? false
        try reader.finish()
        let iterator = text ?? ""
        let isQuoted = iterator.utf8.count > 2 && iterator.hasPrefix("\"") && iterator.hasSuffix("\"")
        shardIterator = isQuoted ? String(iterator.dropFirst().dropLast()) : iterator
    }
}
