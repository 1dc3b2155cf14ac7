import Crypto

/// What signs requests.
public struct SigningCredentials: Sendable, Equatable, CustomStringConvertible {
    /// Names the key, such as `AKIA…`.
    public var accessKeyID: String
    /// The secret.
    public var secretAccessKey: String
    /// Of temporary credentials.
    public var sessionToken: String?
    /// When temporary credentials end, in milliseconds since 1970; nil when they don't.
    public var expires: Int64?

    /// A key.
    public init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expires: Int64? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expires = expires
    }

    /// Never shows the secret.
    public var description: String { "credentials of \(accessKeyID)" }
}

/// Signs requests with Signature Version 4.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
public struct SigV4Signer: Sendable {
    private let keys = SigV4Keys()

    /// A signer; it remembers the day's keys.
    public init() {}

    /// The headers that make a request signed: `authorization`, `x-amz-date`, and `x-amz-security-token` for temporary
    /// credentials.
    ///
    /// - Parameters:
    ///   - query: as on the request line, without `?`.
    ///   - headers: to be signed, `host` among them.
    ///   - now: milliseconds since 1970.
    public func sign(
        method: String,
        path: String,
        query: String = "",
        headers: [(name: String, value: String)],
        body: some Sequence<UInt8>,
        region: String,
        service: String,
        credentials: SigningCredentials,
        now: Int64
    ) -> [(name: String, value: String)] {
        let date = SigV4Time.text(now)
        let day = String(date.prefix(8))
        var added = [(name: "x-amz-date", value: date)]
        if let token = credentials.sessionToken { added.append(("x-amz-security-token", token)) }
        let signed = (headers + added).map { (name: $0.name.lowercased(), value: $0.value) }.sorted {
            $0.name < $1.name
        }
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let request = SigV4Canonical.request(
            method: method,
            path: path,
            query: SigV4Canonical.query(query),
            headers: signed,
            bodyHash: hexDigits(SHA256.hash(data: Array(body)))
        )
        let signature = SigV4Canonical.signature(
            SigV4Canonical.stringToSign(date: date, scope: scope, request: request),
            key: keys.key(credentials, day: day, region: region, service: service)
        )
        added.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders="
                    + "\(signed.map(\.name).joined(separator: ";")), Signature=\(signature)"
            )
        )
        return added
    }
}
