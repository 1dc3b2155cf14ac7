import Testing

@testable import AccessPolicy

@Suite("Actions, resources, variables")
struct MatchingTests {
    private func mayPut(_ statement: String, on resource: String = stream, as name: String = "alice") throws -> Bool {
        let caller = user(name, in: account, try identityPolicy(statements: statement))
        return request(caller, "kinesis:PutRecord", resource).refusal(resourcePolicy: nil) == nil
    }

    @Test(
        "actions are matched without case, with * and ?",
        arguments: [
            ("kinesis:PutRecord", true), ("KINESIS:putrecord", true), ("kinesis:Put*", true), ("*", true),
            ("*:PutRecord", true), ("kinesis:Put??cord", true), ("kinesis:PutRecord?", false),
            ("kinesis:PutRecords", false), ("firehose:PutRecord", false), ("kinesis:*Records", false),
        ]
    )
    func actions(pattern: String, isAllowed: Bool) throws {
        #expect(try mayPut(#"{"Effect":"Allow","Action":["\#(pattern)"],"Resource":"*"}"#) == isAllowed)
        #expect(try mayPut(#"{"Effect":"Allow","NotAction":"\#(pattern)","Resource":"*"}"#) != isAllowed)
    }

    @Test(
        "resources are matched with case, part by part",
        arguments: [
            ("*", true), (stream, true), ("arn:aws:kinesis:*:123456789012:stream/orders", true),
            ("arn:aws:kinesis:us-east-1:123456789012:stream/ord*", true), ("arn:aws:kinesis:*:*:stream/*", true),
            ("arn:aws:kinesis:us-east-1:123456789012:stream/order?", true), ("arn:aws:kinesis:*", true),
            ("arn:aws:kinesis:us-east-1:123456789012:*", true), ("arn:aws:kinesis", true),
            ("arn:aws:kinesis:us-east-1:123456789012:stream/Orders", false),
            // A star stays between its colons.
            ("arn:aws:kinesis:*:stream/orders", false), ("arn:aws:*:stream/orders", false),
            ("arn:aws:kinesis:us-east-1:210987654321:stream/*", false),
            ("arn:aws:kinesis:us-east-1:123456789012:stream/order", false),
        ]
    )
    func resources(pattern: String, isAllowed: Bool) throws {
        #expect(try mayPut(#"{"Effect":"Allow","Action":"*","Resource":"\#(pattern)"}"#) == isAllowed)
        #expect(try mayPut(#"{"Effect":"Allow","Action":"*","NotResource":["\#(pattern)"]}"#) != isAllowed)
    }

    @Test("an action without a resource needs a star")
    func noResource() throws {
        for (pattern, isAllowed) in [("*", true), ("arn:aws:kinesis:us-east-1:123456789012:stream/*", false)] {
            let policy = try identityPolicy(
                statements: #"{"Effect":"Allow","Action":"kinesis:ListStreams","Resource":"\#(pattern)"}"#
            )
            let asked = request(user("alice", in: account, policy), "kinesis:ListStreams", "*")
            #expect((asked.refusal(resourcePolicy: nil) == nil) == isAllowed)
        }
    }

    @Test("variables stand for what the request has, and a star in a name is no wildcard")
    func variables() throws {
        let own = #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:kinesis:*:*:stream/${aws:username}-*"}"#
        let mine = "arn:aws:kinesis:us-east-1:123456789012:stream/alice-log"
        #expect(try mayPut(own, on: mine))
        #expect(try !mayPut(own, on: mine, as: "bob"))
        #expect(try !mayPut(own, on: mine, as: "*"))
        let fallback =
            #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:kinesis:*:*:stream/${aws:SourceVpc, 'orders'}"}"#
        #expect(try mayPut(fallback))
        let missing = #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:kinesis:*:*:stream/${aws:SourceVpc}*"}"#
        #expect(try !mayPut(missing))
        let literal = #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:kinesis:*:*:stream/${*}"}"#
        #expect(try !mayPut(literal))
    }

    @Test("the older version of the language takes variables as they are written")
    func oldVersion() throws {
        let old = try identityPolicy(
            #"{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:kinesis:*:*:stream/${aws:username}"}}"#
        )
        #expect(old.version == "2008-10-17")
        let named = "arn:aws:kinesis:us-east-1:123456789012:stream/alice"
        let literal = "arn:aws:kinesis:us-east-1:123456789012:stream/${aws:username}"
        #expect(
            request(user("alice", in: account, old), "kinesis:PutRecord", named).refusal(resourcePolicy: nil) != nil
        )
        #expect(
            request(user("alice", in: account, old), "kinesis:PutRecord", literal).refusal(resourcePolicy: nil) == nil
        )
    }

    @Test("a pattern of many stars is judged in a moment", .timeLimit(.minutes(1)))
    func manyStars() throws {
        let pattern = String(repeating: "*a", count: 60) + "*b"
        let resource = "arn:aws:kinesis:us-east-1:123456789012:stream/" + String(repeating: "a", count: 2000)
        #expect(
            try !mayPut(
                #"{"Effect":"Allow","Action":"*","Resource":"arn:aws:kinesis:*:*:stream/\#(pattern)"}"#,
                on: resource
            )
        )
    }
}
