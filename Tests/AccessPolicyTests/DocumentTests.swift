import AWSProtocol
import Testing

@testable import AccessPolicy

@Suite("Policy documents")
struct DocumentTests {
    @Test("one statement needs no list, and every form of a resource policy is read")
    func forms() throws {
        #expect(
            try identityPolicy(#"{"Statement":{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}}"#)
                .statementCount == 1
        )
        let policy = try PolicyDocument(
            resourcePolicy: #"""
                {"Version":"2012-10-17","Id":"share","Statement":[
                 {"Effect":"Allow","Principal":{"AWS":["210987654321","arn:aws:iam::210987654321:role/r"]},
                  "Action":["kinesis:DescribeStreamSummary","kinesis:ListShards"],"Resource":"\#(stream)"},
                 {"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"kinesis:*",
                  "Resource":["\#(stream)","\#(stream)/consumer/*"]},
                 {"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"kinesis:Get*","Resource":"\#(stream)"}]}
                """#,
            on: stream,
            actions: actions
        )
        #expect(policy.statementCount == 3)
        #expect(policy.id == "share")
    }

    @Test("every mistake is told at once, with its place")
    func mistakes() throws {
        let found = try problems(
            #"""
            {"Version":"2012-10-18","Statment":[],"Statement":[
              {"Effect":"allow","Action":"PutRecord","Resource":"orders"},
              {"Sid":"x","Effect":"Allow","Principal":"*","Action":[],"NotAction":"*","Resource":"*"},
              {"Sid":"x","Effect":"Allow","Action":"*","Resource":"arn:aws:kinesis:*:*:stream/${aws:usrname}",
               "Condition":{"StringEqals":{"aws:username":"a"},"StringEquals":{"aws:SourceIP2":"a"},
                            "NumericLessThan":{"aws:EpochTime":"soon"},"IpAddress":{"aws:SourceIp":"300.1.1.1"},
                            "Bool":{"aws:SecureTransport":"yes"},"DateLessThan":{"aws:CurrentTime":"tomorrow"}}}]}
            """#
        )
        for start in [
            "Version found \"2012-10-18\", expected \"2012-10-17\" or \"2008-10-17\"",
            "Statment is no element of a policy",
            "Statement[0].Effect found \"allow\"",
            "Statement[0].Action found \"PutRecord\", expected SERVICE:OPERATION",
            "Statement[0].Resource found \"orders\": is neither an ARN nor \"*\"",
            "Statement[1].Principal has no place", "Statement[1] has both Action and NotAction",
            "Statement[2].Sid \"x\" is the Sid of two statements",
            "Statement[2].Condition.StringEqals is no operator",
            "Statement[2].Condition.StringEquals.aws:SourceIP2 is no condition key",
            "Statement[2].Condition.NumericLessThan.aws:EpochTime found \"soon\", expected a number",
            "Statement[2].Condition.IpAddress.aws:SourceIp found \"300.1.1.1\", expected an address",
            "Statement[2].Condition.Bool.aws:SecureTransport found \"yes\", expected true or false",
            "Statement[2].Condition.DateLessThan.aws:CurrentTime found \"tomorrow\", expected a date",
            "the variable 'aws:usrname' names no condition key",
        ] {
            #expect(found.contains { $0.contains(start) }, "\(start) in \(found)")
        }
    }

    @Test(
        "documents that are none",
        arguments: [
            "[]", "{}", #"{"Statement":[]}"#, #"{"Statement":["x"]}"#, #"{"Statement":{"Effect":"Allow"}}"#,
            #"{"Statement":{"Effect":"Allow","Action":"*"}}"#, #"{"Statement":{"Action":"*","Resource":"*"}}"#,
            #"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Resource":"*"}}"#,
            #"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":[]}}"#,
            #"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLikeAll":{}}}}"#,
            #"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NullIfExists":{"aws:username":"true"}}}}"#,
            #"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"dynamodb:LeadingKeys":"a"}}}}"#,
        ]
    )
    func refused(json: String) throws { #expect(try !problems(json).isEmpty) }

    @Test(
        "what PutResourcePolicy must not take",
        arguments: [
            "no JSON",
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kinesis:*","Resource":"ARN"}}"#,
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"me","Action":"kinesis:*","Resource":"ARN"}}"#,
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"12345"},"Action":"kinesis:*","Resource":"ARN"}}"#,
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/*"},"Action":"kinesis:*","Resource":"ARN"}}"#,
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Aws":"*"},"Action":"kinesis:*","Resource":"ARN"}}"#,
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"123456789012"},"Action":"kinesis:*","Resource":"ARN"}}"#,
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"ARN"}}"#,
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kinesis:*","Resource":"ARN2"}}"#,
        ]
    )
    func resourcePolicies(text: String) {
        #expect(throws: PolicyProblems.self) {
            try PolicyDocument(
                resourcePolicy: String(
                    text.split(separator: "ARN", omittingEmptySubsequences: false).joined(separator: stream)
                ),
                on: stream,
                actions: actions
            )
        }
    }

    @Test(
        "what PutResourcePolicy refuses, in AWS's words",
        arguments: [
            ("no JSON", "This policy contains invalid Json"), ("[]", "This policy contains invalid Json"),
            (#"{"Statement":[]}"#, "Missing required field Version"),
            (#"{"Version":"2012-10-17"}"#, "Missing required field Statement"),
            (
                #"{"Version":"2012-10-17","Statement":[LF {"Action":["kinesis:PutRecord","kinesis:Foo"],"Resource":"*"}]}"#,
                "Resource policy contains invalid statement at line 2, column 2: The following action names are invalid: "
                    + "\"kinesis:Foo\""
            ),
            (
                #"{"Version":"2012-10-17","Statement":[{"Action":"kinesis:PutRecord","Resource":"arn:aws:kinesis:a:1:stream/b"}]}"#,
                "Resource policy contains invalid statement at line 1, column 38: The resource policy's resource must be the "
                    + "same as the resource ARN."
            ),
        ]
    )
    func words(text: String, words: String) {
        let error = #expect(throws: PolicyProblems.self) {
            let lines = text.split(separator: "LF").joined(separator: "\n")
            _ = try PolicyDocument(resourcePolicy: lines, on: stream, actions: actions)
        }
        #expect(error?.description == words)
    }

    @Test("an action that nobody here knows is accepted, and told with what may have been meant")
    func notices() throws {
        var reader = PolicyReader(.identity)
        let text = #"{"Statement":{"Effect":"Deny","Action":["kinesis:PutRecrod","s3:GetObject"],"Resource":"*"}}"#
        #expect(reader.read(try JSONValue(parsing: text.utf8)) != nil)
        #expect(reader.notices.map(\.unknown) == ["kinesis:PutRecrod", "s3:GetObject"])
        #expect(reader.notices[0].candidates.contains("kinesis:PutRecord"))
        #expect(reader.notices[1].candidates.isEmpty)
    }
}
