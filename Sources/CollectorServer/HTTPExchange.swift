import AWSProtocol
import Collector

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
    /// What the body holds of the budget of strangers' bodies; given back as soon as the sender is known.
    var hold: BodyHold?

    /// The first header of that name, which is given in lower case; compared without case.
    func header(_ name: String) -> String? {
        headers.first { $0.name.isHeader(name) }?.value
    }

    /// Whether it asks for little work that reads no file: a put of a record that is no larger than 16 KiB.
    var isShortPut: Bool {
        body.count <= 16 << 10 && header("content-encoding") == nil
            && (header("x-amz-target")?.hasSuffix(".PutRecord") ?? false)
    }

    var path: String { queryMark.map { String(target[..<$0]) } ?? target }
    var query: String { queryMark.map { String(target[target.utf8.index(after: $0)...]) } ?? "" }
    private var queryMark: String.Index? { target.utf8.firstIndex(of: UInt8(ascii: "?")) }
}

/// What goes back.
struct HTTPAnswer: Sendable {
    /// A body that is there, or one that is still to come.
    enum Body: Sendable {
        case bytes([UInt8])
        case feed(EventFeed)
    }

    var status: Int
    /// Nil sends no `Content-Type`: some of AWS's refusals have none.
    var contentType: String?
    var body: Body
    var headers: [(name: String, value: String)] = []

    /// Plain text for people and probes.
    static func text(_ status: Int, _ text: String, contentType: String = "text/plain; charset=utf-8") -> HTTPAnswer {
        HTTPAnswer(status: status, contentType: contentType, body: .bytes(Array(text.utf8)))
    }
}
