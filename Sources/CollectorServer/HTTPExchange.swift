/// A request as it came in, whole.
struct HTTPExchange: Sendable {
    var method: String
    /// The path and query as they were sent: signatures cover these bytes.
    var target: String
    var headers: [(name: String, value: String)]
    var body: [UInt8]
    /// The client's address, as text.
    var peer: String?
    /// Whether it came over TLS.
    var isSecure = false

    /// The first header of that name, compared without case.
    func header(_ name: String) -> String? {
        headers.first { $0.name.utf8.count == name.utf8.count && $0.name.lowercased() == name }?.value
    }

    var path: String { String(target.prefix { $0 != "?" }) }
    var query: String { target.firstIndex(of: "?").map { String(target[target.index(after: $0)...]) } ?? "" }
}

/// What goes back.
struct HTTPAnswer: Sendable {
    var status: Int
    var contentType: String
    var body: [UInt8]
    var headers: [(name: String, value: String)] = []

    /// Plain text for people and probes.
    static func text(_ status: Int, _ text: String, contentType: String = "text/plain; charset=utf-8") -> HTTPAnswer {
        HTTPAnswer(status: status, contentType: contentType, body: Array(text.utf8))
    }
}
