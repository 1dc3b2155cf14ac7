import AWSProtocol

/// The answers of AWS's front end, as recorded of it, and its error envelope.
enum Refusals {
    /// A request that names no operation in a way that the front end understands: no content type, and none in XML's answer.
    static let accessDenied = xml(
        403,
        "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n"
            + "</AccessDeniedException>\n"
    )

    /// A content type that the operation's service does not speak.
    static let unknownOperation = xml(404, "<UnknownOperationException/>\n")

    private static func xml(_ status: Int, _ text: String) -> HTTPAnswer {
        HTTPAnswer(status: status, contentType: nil, body: .bytes(Array(text.utf8)))
    }

    /// A browser's question whether a page elsewhere may call: always.
    static func preflight(_ exchange: HTTPExchange) -> HTTPAnswer {
        var headers = [("x-amzn-RequestId", RequestID.next().description), ("access-control-max-age", "172800")]
        for (asked, allowed) in [
            ("access-control-request-headers", "access-control-allow-headers"),
            ("access-control-request-method", "access-control-allow-methods"),
        ] {
            if let value = exchange.header(asked) { headers.append((allowed, value)) }
        }
        return HTTPAnswer(status: 200, contentType: nil, body: .bytes([]), headers: headers)
    }

    /// A request without a body: in CBOR, unless it named JSON.
    static func noBody(_ media: MediaType, _ target: Target?) -> HTTPAnswer {
        let media =
            switch media {
            case .json11: media
            // JSON 1.0 is DynamoDB's.
            default: target?.service == .dynamoDB ? MediaType.json10 : .cbor
            }
        let code = target == nil ? "UnknownOperationException" : "SerializationException"
        return error(AWSError(code, ""), media, media.format ?? .cbor)
    }

    /// `application/json`, whatever it asks.
    static func plainJSON(isSound: Bool) -> HTTPAnswer {
        let code = isSound ? "UnknownOperationException" : "SerializationException"
        let body = answerBytes(.json) { json in
            json.name("Output")
            json.object { json in
                json.name("__type")
                json.string("com.amazon.coral.service#" + code)
            }
            json.name("Version")
            json.string("1.0")
        }
        return HTTPAnswer(status: isSound ? 404 : 400, contentType: MediaType.plainJSON.name, body: .bytes(body))
    }

    /// An operation's error.
    static func error(_ error: AWSError, _ media: MediaType, _ format: WireFormat) -> HTTPAnswer {
        HTTPAnswer(
            status: error.status,
            contentType: media.name,
            body: .bytes(envelope(error, format)),
            headers: [("x-amzn-ErrorType", error.code)]
        )
    }

    private static func envelope(_ error: AWSError, _ format: WireFormat) -> [UInt8] {
        answerBytes(format) { json in
            json.name("__type")
            json.string(error.code)
            if !error.message.isEmpty {
                // SerializationException alone spells it with a capital.
                if error.code == "SerializationException" { json.name("Message") } else { json.name("message") }
                json.string(error.message)
            }
            for member in error.extra {
                json.name(escaping: member.name)
                json.value(member.value)
            }
        }
    }
}
