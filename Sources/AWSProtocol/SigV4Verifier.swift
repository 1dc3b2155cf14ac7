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

/// Verifies Signature Version 4, from the header or from the query, and refuses in AWS's words and AWS's order:
///
///     parts ─> date ─> `host` signed ─> algorithm ─> scope ─> key known ─> signature ─> session token ─> its end
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

        /// The first of that name, which is given in lower case.
        func header(_ name: String) -> String? { headers.first { $0.name.isHeader(name) }?.value }
    }

    /// Verifies; `now` is milliseconds since 1970, `service` the one the target names.
    public func verify(
        _ request: Request,
        body: [UInt8],
        service: String,
        now: Int64
    ) throws(AWSError) -> SigV4Identity {
        let claim = try SigV4Claim(request)
        try Self.checkTime(claim, now)
        guard claim.signedHeaders.contains("host") else {
            throw Self.invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
        }
        // What the request asks for is in a header: unsigned, anybody on the way could ask for something else.
        if request.header("x-amz-target") != nil, !claim.signedHeaders.contains("x-amz-target") {
            throw Self.invalid("'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.")
        }
        guard claim.algorithm == "AWS4-HMAC-SHA256" else {
            throw SigV4Claim.incomplete(
                "Unsupported AWS 'algorithm': '\(claim.algorithm)' (only AWS4-HMAC-SHA256 for now). "
            )
        }
        let scope = try SigV4Scope(claim.credential)
        try scope.check(service: service, date: claim.date)
        guard let credentials = lookup(scope.accessKeyID) else { throw Self.unknownToken }
        try checkSignature(claim, scope, request, body, credentials)
        guard Self.areEqual(claim.token ?? "", credentials.sessionToken ?? "") else { throw Self.unknownToken }
        if let end = credentials.expires, end <= now {
            throw AWSError("ExpiredTokenException", "The security token included in the request is expired")
        }
        return SigV4Identity(accessKeyID: scope.accessKeyID, region: scope.region, service: scope.service)
    }

    /// What the request says of itself, unverified: for servers that trust their callers.
    public static func claimedIdentity(_ request: Request, service: String) throws(AWSError) -> SigV4Identity {
        let scope = try SigV4Scope(try SigV4Claim(request).credential)
        guard scope.hasRegion else { throw invalid("Credential should be scoped to a valid region. ") }
        return SigV4Identity(accessKeyID: scope.accessKeyID, region: scope.region, service: service)
    }

    /// A key that is not known, or a token that is not its own.
    public static let unknownToken = AWSError(
        "UnrecognizedClientException",
        "The security token included in the request is invalid."
    )

    private static func invalid(_ message: String) -> AWSError { AWSError("InvalidSignatureException", message) }

    private func checkSignature(
        _ claim: SigV4Claim,
        _ scope: SigV4Scope,
        _ request: Request,
        _ body: [UInt8],
        _ credentials: SigningCredentials
    ) throws(AWSError) {
        var signed: [(name: String, value: String)] = []
        for name in claim.signedHeaders {
            var value: String?
            for header in request.headers where header.name.isHeader(name) {
                value = value.map { $0 + "," + header.value } ?? header.value
            }
            signed.append((name, value ?? ""))
        }
        var query = request.query.isEmpty ? [] : SigV4Canonical.query(request.query)
        if claim.isInQuery { query.removeAll { $0.name == "X-Amz-Signature" } }
        let canonical = SigV4Canonical.request(
            method: request.method,
            path: request.path,
            query: query,
            headers: signed,
            bodyHash: hexDigits(SHA256.hash(data: body))
        )
        let expected = SigV4Canonical.signature(
            SigV4Canonical.stringToSign(date: claim.date, scope: scope.text, request: canonical),
            key: keys.key(credentials, day: scope.day, region: scope.region, service: scope.service)
        )
        guard Self.areEqual(expected, claim.signature) else {
            throw Self.invalid(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                    + "Access Key and signing method. Consult the service documentation for details."
            )
        }
    }

    /// A signed URL holds as long as it says, a signed header as long as clocks may differ.
    private static func checkTime(_ claim: SigV4Claim, _ now: Int64) throws(AWSError) {
        let date = claim.date
        guard let time = SigV4Time.milliseconds(date) else {
            throw SigV4Claim.incomplete(
                "Date must be in ISO-8601 'basic format'. Got '\(date)'. See http://en.wikipedia.org/wiki/ISO_8601"
            )
        }
        let lifetime = claim.lifetimeSeconds ?? window / 1000
        if time < now - lifetime * 1000 {
            let span = lifetime % 60 == 0 ? "\(lifetime / 60) min." : "\(lifetime) sec."
            throw invalid(
                "Signature expired: \(date) is now earlier than \(SigV4Time.text(now - lifetime * 1000)) "
                    + "(\(SigV4Time.text(now)) - \(span))"
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
