import Testing

@testable import AWSProtocol

@Suite("Signature Version 4")
struct SigV4Tests {
    private let credentials = SigningCredentials(
        accessKeyID: "AKIDEXAMPLE",
        secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    )
    // 2026-11-21T06:09:10Z
    private let now: Int64 = 1_795_241_350_000
    private let headers = [
        (name: "Host", value: "127.0.0.1:4567"), (name: "Content-Type", value: "application/x-amz-json-1.1"),
        (name: "X-Amz-Target", value: "Kinesis_20131202.DescribeStream"),
    ]
    private let body = Array(#"{"StreamName":"s"}"#.utf8)

    private func sign(path: String = "/", service: String = "kinesis", now: Int64? = nil) -> [(
        name: String, value: String
    )] {
        SigV4Signer().sign(
            method: "POST",
            path: path,
            headers: headers,
            body: body,
            region: "eu-west-1",
            service: service,
            credentials: credentials,
            now: now ?? self.now
        )
    }

    private func verify(
        _ added: [(name: String, value: String)],
        body: [UInt8]? = nil,
        query: String = "",
        knows: Bool = true
    ) throws(AWSError) -> SigV4Identity {
        let verifier = SigV4Verifier { [credentials] id in knows && id == credentials.accessKeyID ? credentials : nil }
        return try verifier.verify(
            SigV4Verifier.Request(method: "POST", path: "/", query: query, headers: headers + added),
            body: body ?? self.body,
            service: "kinesis",
            now: now
        )
    }

    @Test("signs as botocore signs")
    func vectors() throws {
        #expect(SigV4Time.text(now) == "20261121T060910Z")
        let authorization = try #require(sign().last?.value)
        #expect(
            authorization
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-1/kinesis/aws4_request, "
                + "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
                + "Signature=5862de9857795e62b1dc6e8f27b7bdb6d9b3ac420483e6cd3783ca8fac8e7976"
        )
    }

    @Test("the documentation's example has the documented signature")
    func documented() {
        let request = SigV4Canonical.request(
            method: "GET",
            path: "/",
            query: SigV4Canonical.query("Action=ListUsers&Version=2010-05-08"),
            headers: [
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"), ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ],
            bodyHash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        )
        let text = SigV4Canonical.stringToSign(
            date: "20150830T123600Z",
            scope: "20150830/us-east-1/iam/aws4_request",
            request: request
        )
        let key = SigV4Canonical.key(
            secret: credentials.secretAccessKey,
            day: "20150830",
            region: "us-east-1",
            service: "iam"
        )
        #expect(
            SigV4Canonical.signature(text, key: key)
                == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        )
    }

    @Test("what was signed is accepted, with the scope's region")
    func accepted() throws {
        #expect(
            try verify(sign()) == SigV4Identity(accessKeyID: "AKIDEXAMPLE", region: "eu-west-1", service: "kinesis")
        )
    }

    @Test("a changed body, an unknown key, a missing or partial header are refused as AWS refuses them")
    func refused() {
        #expect(throws: AWSError("InvalidSignatureException", "")) { try verify(sign(), body: [1]) }
        #expect(throws: AWSError("UnrecognizedClientException", "")) { try verify(sign(), knows: false) }
        #expect(throws: AWSError("MissingAuthenticationTokenException", "")) { try verify([]) }
        #expect(throws: AWSError("IncompleteSignatureException", "")) {
            try verify([("authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/kinesis/aws4_request")])
        }
        #expect(throws: AWSError("InvalidSignatureException", "")) {
            try verify(sign(), query: "X-Amz-Algorithm=AWS4-HMAC-SHA256")
        }
        #expect(throws: AWSError("InvalidSignatureException", "")) { try verify(sign(service: "firehose")) }
    }

    @Test("five minutes off, either way, are too much, and the message says both times")
    func window() throws {
        #expect(throws: Never.self) { try verify(sign(now: now - 299_000)) }
        let late = #expect(throws: AWSError.self) { try verify(sign(now: now - 301_000)) }
        #expect(
            late?.message
                == "Signature expired: 20261121T060409Z is now earlier than 20261121T060410Z (20261121T060910Z - 5 min.)"
        )
        let early = #expect(throws: AWSError.self) { try verify(sign(now: now + 301_000)) }
        #expect(
            early?.message
                == "Signature not yet current: 20261121T061411Z is still later than 20261121T061410Z (20261121T060910Z + 5 min.)"
        )
    }

    @Test(
        "times survive the way to text and back",
        arguments: [0, 951_782_400_000, 1_709_164_800_000, 1_795_241_350_000, -1_000, -55_578_405_600_000] as [Int64]
    )
    func times(milliseconds: Int64) {
        #expect(SigV4Time.milliseconds(SigV4Time.text(milliseconds)) == milliseconds)
    }

    @Test(
        "paths are normalised before they are signed, and escaped once more",
        arguments: [
            ("", "/"), ("/", "/"), ("//", "/"), ("/./", "/"), ("/a/..", "/"), ("/a/b/../..", "/"), ("/../a", "/a"),
            ("/a/../../b", "/b"), ("//a//", "/a/"), ("/./a", "/a"), ("/a/.", "/a"), ("/a/./", "/a/"),
            ("/a/../b/", "/b/"),
            ("/...", "/..."), ("/a%20b/%2e", "/a%2520b/%252e"), ("/a:b", "/a%3Ab"),
        ]
    )
    func paths(path: String, canonical: String) { #expect(SigV4Canonical.canonicalPath(path) == canonical) }

    @Test("a path is signed as botocore signs it")
    func pathSignature() throws {
        let authorization = try #require(sign(path: "//endpoint/./x/../%7Ba%7D/").last?.value)
        #expect(authorization.hasSuffix("Signature=0f0433aaf1624c6fba692f494fb9682f422bf44ed9af0bd43542eee186c8521b"))
    }

    @Test("credentials never show their secret")
    func secret() { #expect(!"\(credentials)".contains(credentials.secretAccessKey)) }
}
