import AWSProtocol
import AccessPolicy

extension FuzzTarget {
    private static let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

    /// Policy documents: read or refused, and a request is judged without end in sight of wildcards.
    static let policy = FuzzTarget(
        name: "policy",
        seeds: [
            #"""
            {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["000000000000","arn:aws:iam::1:user/*"]},
             "Action":["kinesis:Put*","kinesis:G?tRecords"],"Resource":"arn:aws:kinesis:*:*:stream/*a*b*",
             "Condition":{"StringLike":{"aws:username":"*x*"},"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"},
             "IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}
            """#,
            #"{"Statement":{"Effect":"Deny","NotPrincipal":"*","NotAction":"kinesis:*","NotResource":"*${aws:username}*"}}"#,
        ].map { Array($0.utf8) },
        words: [
            "\"Statement\"", "\"Effect\"", "\"Allow\"", "\"Deny\"", "\"Principal\"", "\"Action\"", "\"Resource\"",
            "\"Condition\"",
            "\"NotAction\"", "\"NotResource\"", "StringLike", "ForAnyValue:", "IfExists", "aws:SourceIp",
            "${aws:username}", "*", "?",
        ]
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? PolicyDocument(resourcePolicy: text, on: arn, actions: ["kinesis:PutRecord", "kinesis:GetRecords"])
        let resource = PolicyDocument(stored: text)
        let caller = Principal(account: "111111111111", kind: .user("team/alice"), policies: [resource])
        for action in ["kinesis:PutRecord", "kinesis:GetRecords"] {
            var request = AccessRequest(
                principal: caller,
                context: CallContext(
                    sourceAddress: "10.1.2.3",
                    isSecure: true,
                    userAgent: "a",
                    milliseconds: 1_795_000_000_000
                ),
                action: action,
                resource: arn,
                region: "us-east-1",
                resourceAccount: "000000000000"
            )
            request.resourceTags = [TagPair("a", "b")]
            _ = request.refusal(resourcePolicy: resource)
        }
    }
}
