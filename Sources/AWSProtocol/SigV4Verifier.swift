import Crypto

/// Who signed a request, for which region and service.
public struct SigV4Identity: Sendable, Equatable {
    /// The key that signed.
    public var accessKeyID: String
    /// The credential scope's region.
    public var region: String
    /// The credential scope's service.
    public var service: String

    /// An identity.
    public init(accessKeyID: String, region: String, service: String) {
        self.accessKeyID = accessKeyID
        self.region = region
        self.service = service
    }
}

/// Verifies Signature Version 4, from the header or from the query, and refuses in AWS's words.
public struct SigV4Verifier: Sendable {
    /// How far a request's time may be from the server's: 5 minutes, in milliseconds.
    public static let window: Int64 = 300_000

    private let keys = SigV4Keys()
    private let lookup: @Sendable (String) -> SigningCredentials?

    /// A verifier that knows keys by their id.
    public init(lookup: @escaping @Sendable (_ accessKeyID: String) -> SigningCredentials?) {
        self.lookup = lookup
    }

    /// A request as it came in.
    public struct Request {
        var method: String
        var path: String
        var query: String
        var headers: [(name: String, value: String)]

        /// - Parameters:
        ///   - path: as on the request line.
        ///   - query: as on the request line, without `?`.
        ///   - headers: names in any case.
        public init(method: String, path: String, query: String, headers: [(name: String, value: String)]) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
        }

        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
    }

    private struct Claim {
        var credential: String
        var signedHeaders: String
        var signature: String
        var date: String
        var token: String?
        var isInQuery: Bool
        /// Of a signed URL, in milliseconds.
        var lifetime: Int64?
    }

    /// Verifies; `now` is milliseconds since 1970, `service` the one the target names.
    public func verify(
        _ request: Request,
        body: [UInt8],
        service: String,
        now: Int64
    ) throws(AWSError) -> SigV4Identity {
        let claim = try Self.claim(request)
        let identity = try Self.scope(claim.credential, service)
        let day = claim.credential.split(separator: "/").dropFirst().first.map(String.init) ?? ""
        guard let credentials = lookup(identity.accessKeyID) else {
            throw AWSError("UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        guard claim.token == credentials.sessionToken else {
            throw AWSError("UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        try Self.checkTime(claim.date, day, now, lifetime: claim.lifetime)

        let names = claim.signedHeaders.split(separator: ";").map(String.init)
        guard names.contains("host") else {
            throw Self.invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
        }
        // What the request asks for is in a header: unsigned, anybody on the way could ask for something else.
        if request.header("x-amz-target") != nil, !names.contains("x-amz-target") {
            throw Self.invalid("'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.")
        }
        var signed: [(name: String, value: String)] = []
        for name in names {
            let values = request.headers.filter { $0.name.lowercased() == name }.map(\.value)
            signed.append((name, values.joined(separator: ",")))
        }
        var query = SigV4Canonical.query(request.query)
        if claim.isInQuery { query.removeAll { $0.name == "X-Amz-Signature" } }
        let canonical = SigV4Canonical.request(
            method: request.method,
            path: request.path,
            query: query,
            headers: signed,
            bodyHash: hexDigits(SHA256.hash(data: body))
        )
        let scope = "\(day)/\(identity.region)/\(identity.service)/aws4_request"
        let expected = SigV4Canonical.signature(
            SigV4Canonical.stringToSign(date: claim.date, scope: scope, request: canonical),
            key: keys.key(credentials, day: day, region: identity.region, service: identity.service)
        )
        guard Self.areEqual(expected, claim.signature) else {
            throw Self.invalid(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                    + "Access Key and signing method. Consult the service documentation for details."
            )
        }
        return identity
    }

    /// What the request says of itself, unverified: for servers that trust their callers.
    public static func claimedIdentity(_ request: Request, service: String) throws(AWSError) -> SigV4Identity {
        try scope(try claim(request).credential, service)
    }

    private static func invalid(_ message: String) -> AWSError { AWSError("InvalidSignatureException", message) }

    // MARK: - Reading the claim

    private static func claim(_ request: Request) throws(AWSError) -> Claim {
        let query = SigV4Canonical.query(request.query)
        func parameter(_ name: String) -> String? {
            query.first { $0.name == name }.map { SigV4Canonical.unescaped($0.value) }
        }
        let header = request.header("authorization")
        if header != nil, parameter("X-Amz-Algorithm") != nil {
            throw invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
        }
        if let header { return try headerClaim(header, request) }
        guard parameter("X-Amz-Algorithm") != nil else {
            throw AWSError("MissingAuthenticationTokenException", "Missing Authentication Token")
        }
        let names = ["Algorithm", "Credential", "Signature", "SignedHeaders", "Date"]
        let missing = names.filter { parameter("X-Amz-\($0)") == nil }
        if !missing.isEmpty {
            let sentences = missing.map { "AWS query-string parameters must include 'X-Amz-\($0)'. " }.joined()
            throw AWSError("IncompleteSignatureException", sentences + "Re-examine the query-string parameters.")
        }
        return Claim(
            credential: parameter("X-Amz-Credential") ?? "",
            signedHeaders: parameter("X-Amz-SignedHeaders") ?? "",
            signature: parameter("X-Amz-Signature") ?? "",
            date: parameter("X-Amz-Date") ?? "",
            token: parameter("X-Amz-Security-Token"),
            isInQuery: true,
            lifetime: try parameter("X-Amz-Expires").map { text throws(AWSError) in
                guard let seconds = Int64(text), (1...604_800).contains(seconds) else {
                    throw AWSError(
                        "IncompleteSignatureException",
                        "'X-Amz-Expires' must be a number of seconds from 1 to 604800. Found '\(text)'."
                    )
                }
                return seconds * 1000
            }
        )
    }

    private static func headerClaim(_ header: String, _ request: Request) throws(AWSError) -> Claim {
        guard header.hasPrefix("AWS4-HMAC-SHA256") else {
            throw AWSError(
                "IncompleteSignatureException",
                "Unsupported AWS 'algorithm': '\(header.prefix { $0 != " " })'."
            )
        }
        var parts: [String: String] = [:]
        for part in header.dropFirst(16).split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            let name = pair[0].filter { $0 != " " }
            parts[name] = String(pair[1])
        }
        let date = request.header("x-amz-date") ?? request.header("date")
        var problems = ["Credential", "Signature", "SignedHeaders"].filter { parts[$0] == nil }
            .map { "Authorization header requires '\($0)' parameter. " }
        if date == nil {
            problems.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
        }
        guard problems.isEmpty, let date else {
            // The header is the client's own, and may hold a signature, never a secret.
            throw AWSError("IncompleteSignatureException", problems.joined() + "Authorization=\(header)")
        }
        return Claim(
            credential: parts["Credential"] ?? "",
            signedHeaders: parts["SignedHeaders"] ?? "",
            signature: parts["Signature"] ?? "",
            date: date,
            token: request.header("x-amz-security-token"),
            isInQuery: false
        )
    }

    private static func scope(_ credential: String, _ service: String) throws(AWSError) -> SigV4Identity {
        let parts = credential.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, parts[4] == "aws4_request", !parts[2].isEmpty else {
            throw invalid(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
            )
        }
        guard parts[2].utf8.count <= 32, parts[2].utf8.allSatisfy(Self.isRegionByte) else {
            throw invalid("Credential should be scoped to a valid region. ")
        }
        guard parts[3] == service else {
            throw invalid("Credential should be scoped to correct service: '\(service)'. ")
        }
        return SigV4Identity(accessKeyID: parts[0], region: parts[2], service: parts[3])
    }

    private static func isRegionByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }

    /// `lifetime` is how long a signed URL said it holds, in milliseconds; a signed header holds as long as clocks may differ.
    private static func checkTime(
        _ date: String,
        _ day: String,
        _ now: Int64,
        lifetime: Int64?
    ) throws(AWSError) {
        guard let time = SigV4Time.milliseconds(date) else {
            throw invalid("Date must be in ISO-8601 'basic format'. Got '\(date)'.")
        }
        guard date.hasPrefix(day) else {
            throw invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
        }
        if let lifetime {
            if time < now - lifetime {
                throw invalid("Signature expired: \(date) is now earlier than the URL's lifetime allows.")
            }
        } else if time < now - window {
            throw invalid(
                "Signature expired: \(date) is now earlier than \(SigV4Time.text(now - window)) (\(SigV4Time.text(now)) - 5 min.)"
            )
        }
        if time > now + window {
            throw invalid(
                "Signature not yet current: \(date) is still later than \(SigV4Time.text(now + window)) "
                    + "(\(SigV4Time.text(now)) + 5 min.)"
            )
        }
    }

    /// Looks at every byte: how long it takes says nothing.
    private static func areEqual(_ one: String, _ other: String) -> Bool {
        guard one.utf8.count == other.utf8.count else { return false }
        var difference: UInt8 = 0
        for (left, right) in zip(one.utf8, other.utf8) { difference |= left ^ right }
        return difference == 0
    }
}
