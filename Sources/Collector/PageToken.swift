import AWSProtocol
import Crypto

/// A `NextToken`: where a listing goes on, signed so that a made-up one is refused. It keeps no state on the server.
///
///     base64( version=1 LF kind LF part LF ... LF issued ms | 16 bytes of HMAC-SHA-256 )
struct PageToken {
    /// Five minutes, as on AWS.
    static let lifetimeMilliseconds: Int64 = 300_000

    /// What is listed: a token of one listing means nothing to another.
    enum Kind: String {
        case shards, consumers, streams
    }

    var kind: Kind
    /// Without line feeds.
    var parts: [String]
    /// Milliseconds since 1970.
    var issued: Int64

    func encoded(secret: SymmetricKey) -> String {
        let text = (["1", kind.rawValue] + parts + [String(issued)]).joined(separator: "\n")
        var bytes = Array(text.utf8)
        bytes.append(contentsOf: HMAC<SHA256>.authenticationCode(for: bytes, using: secret).prefix(16))
        return Base64.encode(bytes)
    }

    init(_ kind: Kind, _ parts: [String], issued: Int64) {
        self.kind = kind
        self.parts = parts
        self.issued = issued
    }

    /// Throws `InvalidArgumentException` for anything that was not issued here for such a listing of `count` parts, and
    /// `ExpiredNextTokenException`.
    init(_ text: String, _ kind: Kind, parts count: Int, secret: SymmetricKey, now: Int64) throws(AWSError) {
        let invalid = AWSError.invalidArgument("NextToken is invalid.")
        guard let bytes = Base64.decode(text), bytes.count > 16 else { throw invalid }
        let code = HMAC<SHA256>.authenticationCode(for: bytes.dropLast(16), using: secret).prefix(16)
        // Every byte is looked at: how long the comparison takes says nothing about the code.
        var difference: UInt8 = 0
        for (one, other) in zip(code, bytes.suffix(16)) { difference |= one ^ other }
        guard difference == 0 else { throw invalid }
        let fields = String(decoding: bytes.dropLast(16), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == count + 3, fields[1] == kind.rawValue, let issued = Int64(fields[count + 2]) else {
            throw invalid
        }
        guard now - issued <= Self.lifetimeMilliseconds else {
            throw AWSError(
                "ExpiredNextTokenException",
                "NextToken expired. The token was created at time \(UTCText.java(issued)) while right now it is "
                    + "\(UTCText.java(now)) which is further in the future than the tolerated delay of "
                    + "\(Self.lifetimeMilliseconds) milliseconds."
            )
        }
        self.init(kind, Array(fields[2..<count + 2]), issued: issued)
    }
}
