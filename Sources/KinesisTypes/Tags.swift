import AWSProtocol

extension RequestReader {
    /// `Tags`: 1 to 200 pairs, keys of 1 to 128 characters, values of 0 to 256.
    mutating func tags(required: Bool) throws(AWSError) -> [String: String]? {
        try map("Tags", count: 1...200, keyLength: 1...128, valueLength: 0...256, required: required)
    }

    /// `TagKeys`: 1 to 50 keys of 1 to 128 characters.
    mutating func tagKeys() throws(AWSError) -> [String] {
        try strings("TagKeys", count: 1...50, length: 1...128, required: true) ?? []
    }
}

/// `AddTagsToStream`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_AddTagsToStream.html
public struct AddTagsToStreamRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// Values by key.
    public var tags: [String: String]

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        tags = try reader.tags(required: true) ?? [:]
        try reader.finish()
    }
}

/// `RemoveTagsFromStream`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RemoveTagsFromStream.html
public struct RemoveTagsFromStreamRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// Keys; unknown ones are passed over.
    public var keys: [String]

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        keys = try reader.tagKeys()
        try reader.finish()
    }
}

/// `ListTagsForStream`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListTagsForStream.html
public struct ListTagsForStreamRequest: Sendable {
    /// The stream.
    public var stream: StreamReference
    /// The page starts behind this key, which need not exist.
    public var exclusiveStartTagKey: String?
    /// 1 to 50, default 50.
    public var limit: Int

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        stream = try reader.requiredStream()
        exclusiveStartTagKey = try reader.string("ExclusiveStartTagKey", length: 1...128)
        limit = try reader.integer("Limit", in: 1...50) ?? 50
        try reader.finish()
    }
}

/// `TagResource`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_TagResource.html
public struct TagResourceRequest: Sendable {
    /// A stream or a consumer.
    public var resource: ResourceReference
    /// Values by key.
    public var tags: [String: String]

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        tags = try reader.tags(required: true) ?? [:]
        resource = try reader.resource()
        try reader.finish()
    }
}

/// `UntagResource`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UntagResource.html
public struct UntagResourceRequest: Sendable {
    /// A stream or a consumer.
    public var resource: ResourceReference
    /// Keys; unknown ones are passed over.
    public var keys: [String]

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        keys = try reader.tagKeys()
        resource = try reader.resource()
        try reader.finish()
    }
}

/// `ListTagsForResource`: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListTagsForResource.html
public struct ListTagsForResourceRequest: Sendable {
    /// A stream or a consumer.
    public var resource: ResourceReference

    /// Reads a request.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        var reader = try RequestReader(body: body, format: format)
        resource = try reader.resource()
        try reader.finish()
    }
}
