import AWSProtocol
import AccessPolicy
import KinesisTypes

/// Both families of tag operations: on streams by name, and on streams and consumers by ARN.
extension Collector {
    func addTagsToStream(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try AddTagsToStreamRequest(body: request.body, format: request.format)
        let stream = try stream(asked.stream, request, tags: Self.pairs(asked.tags))
        try checkCharacters(asked.tags.keys)
        try checkCharacters(asked.tags.values)
        try await changeTags(stream, nil) { tags throws(AWSError) in
            tags = try merged(tags, asked.tags, "stream \(asked.stream.name)")
        }
        return []
    }

    func removeTagsFromStream(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try RemoveTagsFromStreamRequest(body: request.body, format: request.format)
        let stream = try stream(asked.stream, request, tags: asked.keys.map { TagPair($0) })
        try checkCharacters(asked.keys)
        try checkPercent(asked.keys, "remove tags from stream \(asked.stream.name)")
        try await changeTags(stream, nil) { tags throws(AWSError) in
            for key in asked.keys { tags[key] = nil }
        }
        return []
    }

    func tagResource(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try TagResourceRequest(body: request.body, format: request.format)
        let (stream, consumer) = try resource(asked.resource, request, tags: Self.pairs(asked.tags))
        try checkCharacters(asked.tags.keys)
        try checkCharacters(asked.tags.values)
        try await changeTags(stream, consumer) { tags throws(AWSError) in
            tags = try merged(tags, asked.tags, Self.name(asked.resource, stream))
        }
        return []
    }

    private static func name(_ resource: ResourceReference, _ stream: Stream) -> String {
        resource.consumer.map { "consumer \($0.name)" } ?? "stream \(stream.key.name)"
    }

    func untagResource(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try UntagResourceRequest(body: request.body, format: request.format)
        let (stream, consumer) = try resource(asked.resource, request, tags: asked.keys.map { TagPair($0) })
        try checkCharacters(asked.keys)
        try checkPercent(asked.keys, "remove tags from \(Self.name(asked.resource, stream))")
        try await changeTags(stream, consumer) { tags throws(AWSError) in
            for key in asked.keys { tags[key] = nil }
        }
        return []
    }

    /// A stream, or a registered consumer of one, named by its ARN. The caller must be allowed to do this with it.
    func resource(
        _ reference: ResourceReference,
        _ request: APIRequest,
        tags: @autoclosure () -> [TagPair] = []
    ) throws(AWSError) -> (stream: Stream, consumer: ConsumerRecord?) {
        let named = StreamReference(name: reference.stream, arn: reference.streamARN)
        guard let arn = reference.consumer else { return (try stream(named, request, tags: tags()), nil) }
        let consumer = ConsumerReference(stream: named, name: arn.name, created: arn.created)
        return try self.consumer(consumer, request, tags: tags())
    }

    /// Tags stay as they are until the stream is there.
    private func changeTags(
        _ stream: Stream,
        _ consumer: ConsumerRecord?,
        _ body: (inout [String: String]) throws(AWSError) -> Void
    ) async throws(AWSError) {
        try await change(of: stream) { record throws(AWSError) in
            if record.status == .creating || record.status == .deleting { try requireActive(record) }
            guard let consumer else { return try body(&record.settings.tags) }
            let at = try index(of: consumer, in: record)
            try body(&record.consumers[at].tags)
        }
    }

    func listTagsForStream(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try ListTagsForStreamRequest(body: request.body, format: request.format)
        let tags = try stream(asked.stream, request).record.settings.tags
            .filter { tag in asked.exclusiveStartTagKey.map { Self.isBefore($0, tag.key) } ?? true }
            .sorted { Self.isBefore($0.key, $1.key) }
        let page = tags.prefix(asked.limit)
        return request.answer { json in
            Self.write(tags: page, to: &json)
            json.name("HasMoreTags")
            json.bool(page.count < tags.count)
        }
    }

    func listTagsForResource(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try ListTagsForResourceRequest(body: request.body, format: request.format)
        let (stream, consumer) = try resource(asked.resource, request)
        let tags = (consumer?.tags ?? stream.record.settings.tags).sorted { Self.isBefore($0.key, $1.key) }
        return request.answer { json in Self.write(tags: tags[...], to: &json) }
    }

    /// By UTF-16 units, as Java sorts.
    private static func isBefore(_ one: String, _ other: String) -> Bool {
        one.utf16.lexicographicallyPrecedes(other.utf16)
    }

    private static func write(tags: ArraySlice<(key: String, value: String)>, to json: inout AnswerWriter) {
        json.name("Tags")
        json.array { json in
            for tag in tags {
                json.object { json in
                    json.name("Key")
                    json.string(tag.key)
                    json.name("Value")
                    json.string(tag.value)
                }
            }
        }
    }
}
