/// What a request says of its own signature, from its `Authorization` header or from its query.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
struct SigV4Claim {
    /// `AWS4-HMAC-SHA256`, where it is right.
    var algorithm: String
    /// `KEY/DAY/REGION/SERVICE/aws4_request`, where it is right.
    var credential: String
    /// In lower case.
    var signedHeaders: [String]
    var signature: String
    var date: String
    var token: String?
    var isInQuery = false
    /// Of a signed URL, in seconds.
    var lifetimeSeconds: Int64?

    /// Reads the claim; all parts that are missing are told in one message.
    init(_ request: SigV4Verifier.Request) throws(AWSError) {
        // Most requests have none, and taking one apart costs.
        let query = request.query.isEmpty ? [] : SigV4Canonical.query(request.query)
        let isInQuery = query.contains { $0.name == "X-Amz-Algorithm" }
        let header = request.header("authorization").flatMap { $0.isEmpty ? nil : $0 }
        switch (header, isInQuery) {
        case (.some, true):
            throw AWSError(
                "InvalidSignatureException",
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
            )
        case (let header?, false): try self.init(header: header, request)
        case (nil, true): try self.init(query: query)
        case (nil, false): throw AWSError("MissingAuthenticationTokenException", "Missing Authentication Token")
        }
    }

    private init(query: [(name: String, value: String)]) throws(AWSError) {
        func parameter(_ name: String) -> String? {
            query.first { $0.name == name }.map { SigV4Canonical.unescaped($0.value) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        let missing = ["Algorithm", "Credential", "Signature", "SignedHeaders", "Date"]
            .filter { parameter("X-Amz-\($0)") == nil }
            .map { "AWS query-string parameters must include 'X-Amz-\($0)'. " }
        guard missing.isEmpty else {
            throw Self.incomplete(missing.joined() + "Re-examine the query-string parameters.")
        }
        algorithm = parameter("X-Amz-Algorithm") ?? ""
        credential = parameter("X-Amz-Credential") ?? ""
        signedHeaders = Self.names(parameter("X-Amz-SignedHeaders") ?? "")
        signature = parameter("X-Amz-Signature") ?? ""
        date = parameter("X-Amz-Date") ?? ""
        token = parameter("X-Amz-Security-Token")
        isInQuery = true
        if let text = parameter("X-Amz-Expires") {
            guard let seconds = Int64(text), (1...604_800).contains(seconds) else {
                throw Self.incomplete(
                    "'X-Amz-Expires' must be a number of seconds from 1 to 604800. Found '\(text)'."
                )
            }
            lifetimeSeconds = seconds
        }
    }

    private init(header: String, _ request: SigV4Verifier.Request) throws(AWSError) {
        // Blanks and commas part the header's pieces, whatever stands first among them.
        let pieces = header.utf8.split { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") }
        var (credential, signature, names) = (String?.none, String?.none, String?.none)
        for piece in pieces.dropFirst() {
            guard let sign = piece.firstIndex(of: UInt8(ascii: "=")), piece.index(after: sign) < piece.endIndex else {
                continue
            }
            let value = String(Substring(piece[piece.index(after: sign)...]))
            switch Substring(piece[..<sign]) {
            case "Credential": credential = value
            case "Signature": signature = value
            case "SignedHeaders": names = value
            default: break
            }
        }
        var missing: [String] = []
        for (name, value) in [("Credential", credential), ("Signature", signature), ("SignedHeaders", names)]
        where value == nil {
            missing.append("Authorization header requires '\(name)' parameter. ")
        }
        let date = request.header("x-amz-date") ?? request.header("date")
        if date == nil {
            missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
        }
        guard missing.isEmpty else {
            // The header is the client's own, and may hold a signature, never a secret.
            throw Self.incomplete(missing.joined() + "Authorization=\(header)")
        }
        algorithm = pieces.first.map { String(Substring($0)) } ?? ""
        self.credential = credential ?? ""
        signedHeaders = Self.names(names ?? "")
        self.signature = signature ?? ""
        self.date = date ?? ""
        token = request.header("x-amz-security-token")
    }

    static func incomplete(_ message: String) -> AWSError { AWSError("IncompleteSignatureException", message) }

    private static func names(_ text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: ";")).map { String(Substring($0)).asHeaderName }
    }
}

/// A credential's parts: which key signed, on which day, for which region and service.
struct SigV4Scope {
    var accessKeyID: String
    var day: String
    var region: String
    var service: String
    var terminator: String

    /// Takes a credential apart; slashes at its end do not count.
    init(_ credential: String) throws(AWSError) {
        var text = credential.utf8[...]
        while text.last == UInt8(ascii: "/") { text = text.dropLast() }
        let parts = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        guard parts.count == 5 else {
            throw SigV4Claim.incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                    + "got '\(credential)'"
            )
        }
        (accessKeyID, day, region, service, terminator) = (parts[0], parts[1], parts[2], parts[3], parts[4])
    }

    /// As it is signed.
    var text: String { "\(day)/\(region)/\(service)/\(terminator)" }

    /// Whether it is a region's name as far as can be told: every region is served.
    var hasRegion: Bool {
        !region.isEmpty && region.utf8.count <= 32
            && region.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
    }

    /// Throws everything that is wrong with it in one message.
    func check(service expected: String, date: String) throws(AWSError) {
        var problems = ""
        if !hasRegion { problems += "Credential should be scoped to a valid region, not '\(region)'. " }
        if service != expected { problems += "Credential should be scoped to correct service: '\(expected)'. " }
        if terminator != "aws4_request" {
            problems += "Credential should be scoped with a valid terminator: 'aws4_request', not '\(terminator)'. "
        }
        let today = Substring(date.utf8.prefix(8))
        if day != today {
            problems +=
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                + "'\(day)' != '\(today)', from '\(date)'."
        }
        if !problems.isEmpty { throw AWSError("InvalidSignatureException", problems) }
    }
}
