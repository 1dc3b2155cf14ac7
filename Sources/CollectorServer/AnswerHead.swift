import NIOHTTP1

/// The status line and headers of an answer.
enum AnswerHead {
    /// What browsers may read, as AWS lists it.
    private static let exposed =
        "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date"

    static func make(_ answer: HTTPAnswer, to request: HTTPRequestHead, closes: Bool) -> HTTPResponseHead {
        var headers = HTTPHeaders()
        if let type = answer.contentType { headers.add(name: "content-type", value: type) }
        headers.add(name: "date", value: HTTPDate.now())
        if request.headers.first(name: "origin").map({ !$0.isEmpty }) ?? false {
            headers.add(name: "access-control-allow-origin", value: "*")
            // The answer to a preflight says what may be sent, not what may be read.
            if request.method != .OPTIONS { headers.add(name: "access-control-expose-headers", value: exposed) }
        }
        // A feed's length is not known: HTTP/1.1 sends it in chunks.
        if case .bytes(let bytes) = answer.body { headers.add(name: "content-length", value: String(bytes.count)) }
        for (name, value) in answer.headers { headers.add(name: name, value: value) }
        if closes { headers.add(name: "connection", value: "close") }
        let status = HTTPResponseStatus(statusCode: answer.status)
        return HTTPResponseHead(version: request.version, status: status, headers: headers)
    }
}
