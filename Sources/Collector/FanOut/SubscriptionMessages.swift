import AWSProtocol

/// The messages of one subscription's event stream, in the format of its request.
///
///     initial-response {}   SubscribeToShardEvent {...}   SubscribeToShardEvent {...}   ...   [exception {"message"}]
///
/// Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShardEvent.html
struct SubscriptionMessages: Sendable {
    let format: WireFormat

    /// `json` and `cbor` of every header that does not change.
    private static let events = headers(":event-type", "event", "SubscribeToShardEvent")
    private static let initial = headers(":event-type", "event", "initial-response")

    private static func headers(
        _ name: String,
        _ message: String,
        _ type: String
    ) -> (json: EventStreamHeaders, cbor: EventStreamHeaders) {
        func headers(_ contentType: String) -> EventStreamHeaders {
            EventStreamHeaders(texts: [name: type, ":content-type": contentType, ":message-type": message])
        }
        return (headers("application/x-amz-json-1.1"), headers("application/x-amz-cbor-1.1"))
    }

    private func choice(_ headers: (json: EventStreamHeaders, cbor: EventStreamHeaders)) -> EventStreamHeaders {
        switch format {
        case .json: headers.json
        case .cbor: headers.cbor
        }
    }

    /// What every stream begins with: botocore gives up without it.
    func initialResponse() -> [UInt8] {
        var bytes: [UInt8] = []
        EventStreamWriter.append(choice(Self.initial), to: &bytes) { $0 += answerBytes(format) { _ in } }
        return bytes
    }

    /// An event. What `body` writes goes to its place at once: records are copied once, out of the log.
    func event<Failure: Error>(
        _ body: (inout AnswerWriter) throws(Failure) -> Void
    ) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        try EventStreamWriter.append(choice(Self.events), to: &bytes) { bytes throws(Failure) in
            var moved: [UInt8] = []
            swap(&moved, &bytes)
            var writer = AnswerWriter(format, behind: consume moved)
            try writer.object(body)
            bytes = writer.release()
        }
        return bytes
    }

    /// Ends a stream that can't go on.
    func exception(_ error: AWSError) -> [UInt8] {
        // The shapes that an event stream may hold; the server's own failure has another name there.
        let type = error.status >= 500 ? "InternalFailureException" : error.code
        var bytes: [UInt8] = []
        EventStreamWriter.append(choice(Self.headers(":exception-type", "exception", type)), to: &bytes) { bytes in
            bytes += answerBytes(format) { writer in
                writer.name("message")
                writer.string(error.message)
            }
        }
        return bytes
    }
}
