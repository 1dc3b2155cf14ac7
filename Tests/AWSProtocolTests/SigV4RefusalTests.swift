import Testing

@testable import AWSProtocol

/// A request that is right, and whatever a test changes in it, held against the table of refusals.
@Suite("Signature refusals")
struct SigV4RefusalTests {
    private static let temporary = SigningCredentials(
        accessKeyID: "ASIAEXAMPLE",
        secretAccessKey: "temporarySecret",
        sessionToken: "token-1",
        // 2026-11-21T07:00:00Z
        expires: 1_795_244_400_000
    )
    private static let permanent = SigningCredentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: "secret")
    // 2026-11-21T06:09:10Z
    private let now: Int64 = 1_795_241_350_000
    private let headers = [
        (name: "Host", value: "127.0.0.1:4567"), (name: "Content-Type", value: "application/x-amz-json-1.1"),
        (name: "X-Amz-Target", value: "Kinesis_20131202.ListStreams"),
    ]
    private let body = Array("{}".utf8)

    private func refusal(
        _ headers: [(name: String, value: String)],
        query: String = "",
        now: Int64? = nil,
        service: String = "kinesis"
    ) -> AWSError? {
        let keys = [Self.permanent, Self.temporary]
        let verifier = SigV4Verifier { id in keys.first { $0.accessKeyID == id } }
        do throws(AWSError) {
            _ = try verifier.verify(
                SigV4Verifier.Request(method: "POST", path: "/", query: query, headers: headers),
                body: body,
                service: service,
                now: now ?? self.now
            )
            return nil
        } catch {
            return error
        }
    }

    private func signed(
        _ credentials: SigningCredentials = permanent,
        at time: Int64? = nil,
        service: String = "kinesis"
    ) -> [(name: String, value: String)] {
        headers
            + SigV4Signer().sign(
                method: "POST",
                path: "/",
                headers: headers,
                body: body,
                region: "eu-west-1",
                service: service,
                credentials: credentials,
                now: time ?? now
            )
    }

    /// The query of a signed URL.
    private func signedQuery(
        lifetime: String?,
        at time: Int64? = nil,
        credentials: SigningCredentials = permanent,
        token: String? = nil
    ) -> String {
        let date = SigV4Time.text(time ?? now)
        let scope = "\(date.prefix(8))/eu-west-1/kinesis/aws4_request"
        var pairs = [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=\(SigV4Canonical.escaped("\(credentials.accessKeyID)/\(scope)"))",
            "X-Amz-Date=\(date)", "X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-target",
        ]
        if let lifetime { pairs.append("X-Amz-Expires=\(lifetime)") }
        if let token { pairs.append("X-Amz-Security-Token=\(token)") }
        let query = pairs.joined(separator: "&")
        let canonical = SigV4Canonical.request(
            method: "POST",
            path: "/",
            query: SigV4Canonical.query(query),
            headers: headers.map { ($0.name.lowercased(), $0.value) }.sorted { $0.0 < $1.0 },
            bodyHash: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        )
        let key = SigV4Canonical.key(
            secret: credentials.secretAccessKey,
            day: String(date.prefix(8)),
            region: "eu-west-1",
            service: "kinesis"
        )
        let text = SigV4Canonical.stringToSign(date: date, scope: scope, request: canonical)
        return query + "&X-Amz-Signature=\(SigV4Canonical.signature(text, key: key))"
    }

    private func changing(
        _ name: String,
        in headers: [(name: String, value: String)],
        _ change: (String) -> String?
    ) -> [(name: String, value: String)] {
        headers.compactMap { header in
            header.name == name ? change(header.value).map { (name: header.name, value: $0) } : header
        }
    }

    private func expect(
        _ error: AWSError?,
        _ code: String,
        _ message: String,
        _ place: SourceLocation = #_sourceLocation
    ) {
        #expect(error?.code == code, sourceLocation: place)
        #expect(error?.message == message, sourceLocation: place)
        #expect(error?.status == 400, sourceLocation: place)
    }

    @Test("what is right is let in, from the header, from the query, with a token")
    func accepted() {
        #expect(refusal(signed()) == nil)
        #expect(refusal(signed(Self.temporary)) == nil)
        #expect(refusal(headers, query: signedQuery(lifetime: "60")) == nil)
        #expect(refusal(headers, query: signedQuery(lifetime: nil)) == nil)
        let withToken = signedQuery(lifetime: "60", credentials: Self.temporary, token: "token-1")
        #expect(refusal(headers, query: withToken) == nil)
    }

    @Test("nothing is said of a signature")
    func missing() {
        expect(refusal(headers), "MissingAuthenticationTokenException", "Missing Authentication Token")
        let empty = headers + [(name: "Authorization", value: "")]
        expect(refusal(empty), "MissingAuthenticationTokenException", "Missing Authentication Token")
        let other = "X-Amz-Credential=a&X-Amz-Signature=b"
        expect(refusal(headers, query: other), "MissingAuthenticationTokenException", "Missing Authentication Token")
    }

    private static let noCredential = "Authorization header requires 'Credential' parameter. "
    private static let noSignature = "Authorization header requires 'Signature' parameter. "
    private static let noHeaders = "Authorization header requires 'SignedHeaders' parameter. "
    private static let noDate =
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "

    @Test(
        "each missing part of the header has its sentence, all in one message",
        arguments: [
            ("X", false, noCredential + noSignature + noHeaders + noDate),
            ("AWS4-", true, noCredential + noSignature + noHeaders),
            ("AWS4-HMAC-SHA256 Credential=a", false, noSignature + noHeaders + noDate),
            ("AWS4- Signature=b, Credential=a", true, noHeaders),
            ("AWS4-HMAC-SHA256 Signature=b,,,  Credential=a", true, noHeaders),
            ("AWS4-HMAC-SHA256 Signature=,Credential=a,SignedHeaders=host", true, noSignature),
            ("AWS4-HMAC-SHA256 Signature=b,Credential=a,SignedHeaders=host", false, noDate),
            ("AWS4-HMAC-SHA256 Credential, Signature=b, SignedHeaders=host", true, noCredential),
        ]
    )
    func incompleteHeader(header: String, hasDate: Bool, sentences: String) {
        var sent = headers + [(name: "authorization", value: header)]
        if hasDate { sent.append(("x-amz-date", "20261121T060910Z")) }
        expect(refusal(sent), "IncompleteSignatureException", sentences + "Authorization=\(header)")
    }

    @Test("each missing part of the query has its sentence, all in one message")
    func incompleteQuery() {
        func sentences(_ names: [String]) -> String {
            names.map { "AWS query-string parameters must include '\($0)'. " }.joined()
                + "Re-examine the query-string parameters."
        }
        expect(
            refusal(headers, query: "X-Amz-Algorithm"),
            "IncompleteSignatureException",
            sentences([
                "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date",
            ])
        )
        expect(
            refusal(headers, query: "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=b&X-Amz-Credential="),
            "IncompleteSignatureException",
            sentences(["X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Date"])
        )
    }

    @Test("header and query both")
    func both() {
        expect(
            refusal(signed(), query: "X-Amz-Algorithm=AWS4-HMAC-SHA256"),
            "InvalidSignatureException",
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
        )
    }

    @Test("a signature that differs: other body, other header, other secret, other letters")
    func mismatch() {
        let words =
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
            + "Key and signing method. Consult the service documentation for details."
        let impostor = SigningCredentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: "other")
        for sent in [
            signed(impostor), changing("Content-Type", in: signed()) { _ in "application/x-amz-json-1.0" },
            changing("authorization", in: signed()) { String($0.dropLast()) + "g" },
            changing("authorization", in: signed()) { String($0.dropLast()) },
        ] {
            expect(refusal(sent), "InvalidSignatureException", words)
        }
        let query = signedQuery(lifetime: "60").replacing("eu-west-1", with: "eu-west-2")
        expect(refusal(headers, query: query), "InvalidSignatureException", words)
    }

    @Test("five minutes late, five minutes ahead, and a signed URL at its end")
    func window() {
        #expect(refusal(signed(at: now - 300_000)) == nil)
        expect(
            refusal(signed(at: now - 301_000)),
            "InvalidSignatureException",
            "Signature expired: 20261121T060409Z is now earlier than 20261121T060410Z (20261121T060910Z - 5 min.)"
        )
        #expect(refusal(signed(at: now + 300_000)) == nil)
        expect(
            refusal(signed(at: now + 301_000)),
            "InvalidSignatureException",
            "Signature not yet current: 20261121T061411Z is still later than 20261121T061410Z (20261121T060910Z + 5 min.)"
        )
        let hour = signedQuery(lifetime: "3600", at: now - 3_600_000)
        #expect(refusal(headers, query: hour) == nil)
        expect(
            refusal(headers, query: hour, now: now + 1000),
            "InvalidSignatureException",
            "Signature expired: 20261121T050910Z is now earlier than 20261121T050911Z (20261121T060911Z - 60 min.)"
        )
        let short = signedQuery(lifetime: "90", at: now - 91_000)
        expect(
            refusal(headers, query: short),
            "InvalidSignatureException",
            "Signature expired: 20261121T060739Z is now earlier than 20261121T060740Z (20261121T060910Z - 90 sec.)"
        )
        let early = signedQuery(lifetime: "90", at: now + 301_000)
        expect(
            refusal(headers, query: early),
            "InvalidSignatureException",
            "Signature not yet current: 20261121T061411Z is still later than 20261121T061410Z (20261121T060910Z + 5 min.)"
        )
    }

    @Test("a lifetime that is none", arguments: ["0", "604801", "-1", "soon"])
    func lifetime(text: String) {
        expect(
            refusal(headers, query: signedQuery(lifetime: text)),
            "IncompleteSignatureException",
            "'X-Amz-Expires' must be a number of seconds from 1 to 604800. Found '\(text)'."
        )
    }

    @Test("a date of another form")
    func date() {
        let sent = changing("x-amz-date", in: signed()) { _ in "2026-11-21T06:09:10Z" }
        expect(
            refusal(sent),
            "IncompleteSignatureException",
            "Date must be in ISO-8601 'basic format'. Got '2026-11-21T06:09:10Z'. "
                + "See http://en.wikipedia.org/wiki/ISO_8601"
        )
    }

    @Test("what must be signed: the host and the target")
    func signedHeaders() {
        let noHost = changing("authorization", in: signed()) { $0.replacing("host;", with: "") }
        expect(
            refusal(noHost),
            "InvalidSignatureException",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
        let noTarget = changing("authorization", in: signed()) { $0.replacing(";x-amz-target", with: "") }
        expect(
            refusal(noTarget),
            "InvalidSignatureException",
            "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
        )
    }

    @Test("another algorithm")
    func algorithm() {
        let sent = changing("authorization", in: signed()) { $0.replacing("SHA256 ", with: "SHA512 ") }
        expect(
            refusal(sent),
            "IncompleteSignatureException",
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512' (only AWS4-HMAC-SHA256 for now). "
        )
    }

    @Test("a scope of another form, and everything that is wrong in one")
    func scope() {
        let short = changing("authorization", in: signed()) { $0.replacing("/aws4_request", with: "") }
        expect(
            refusal(short),
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                + "got 'AKIDEXAMPLE/20261121/eu-west-1/kinesis'"
        )
        let bad = changing("authorization", in: signed()) {
            $0.replacing("20261121/eu-west-1/kinesis/aws4_request", with: "20261120/eu west/s3/aws5_request")
                .replacing("eu west", with: "eu%west")
        }
        expect(
            refusal(bad),
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not 'eu%west'. "
                + "Credential should be scoped to correct service: 'kinesis'. "
                + "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "
                + "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                + "'20261120' != '20261121', from '20261121T060910Z'."
        )
        expect(
            refusal(signed(service: "firehose")),
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'kinesis'. "
        )
        #expect(refusal(signed(service: "firehose"), service: "firehose") == nil)
        let slash = changing("authorization", in: signed()) {
            $0.replacing("/aws4_request", with: "/aws4_request//")
        }
        #expect(refusal(slash) == nil)
    }

    @Test("an unknown key, and a token that is missing, wrong or too many")
    func unknown() {
        let words = "The security token included in the request is invalid."
        var stranger = Self.permanent
        stranger.accessKeyID = "AKIDSTRANGER"
        expect(refusal(signed(stranger)), "UnrecognizedClientException", words)
        for token in [nil, "token-2", "token-1 ", "TOKEN-1"] {
            var temporary = Self.temporary
            temporary.sessionToken = token
            expect(refusal(signed(temporary)), "UnrecognizedClientException", words)
        }
        var permanent = Self.permanent
        permanent.sessionToken = "token-1"
        expect(refusal(signed(permanent)), "UnrecognizedClientException", words)
        let query = signedQuery(lifetime: "60", credentials: Self.temporary)
        expect(refusal(headers, query: query), "UnrecognizedClientException", words)
    }

    @Test("a session token at its end")
    func expired() {
        let end: Int64 = 1_795_244_400_000
        #expect(refusal(signed(Self.temporary, at: end - 1000), now: end - 1) == nil)
        expect(
            refusal(signed(Self.temporary, at: end), now: end),
            "ExpiredTokenException",
            "The security token included in the request is expired"
        )
    }
}
