import AWSProtocol
import Testing

@testable import AccessPolicy

/// A generator whose seed is printed with a failure.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &self)]
    }
}

@Suite("Properties of evaluation")
struct PropertyTests {
    private static let actions = [
        "kinesis:PutRecord", "kinesis:Put*", "kinesis:Get*", "*", "kinesis:*Record?", "firehose:*",
    ]
    private static let resources = [
        "*", stream, "arn:aws:kinesis:*:*:stream/o*", "arn:aws:kinesis:*:*:stream/${aws:username}",
        "arn:aws:kinesis:eu-*:*:*",
    ]
    private static let conditions = [
        "", #","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/25"}}"#,
        #","Condition":{"StringNotEquals":{"aws:ResourceTag/env":"prod"}}"#,
        #","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringLike":{"aws:username":"a*"}}"#,
        #","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["env"]}}"#,
    ]
    private static let principals = [
        "\"*\"", #"{"AWS":"123456789012"}"#, #"{"AWS":"arn:aws:iam::123456789012:user/alice"}"#,
        #"{"AWS":"210987654321"}"#,
    ]

    private static func statement(_ effect: String, _ kind: PolicyDocument.Kind, _ random: inout Seeded) -> String {
        let not = random.pick(["", "", "Not"])
        let who =
            kind == .identity
            ? "" : #""Principal":\#(random.pick(principals)),"#
        return
            #"{"Effect":"\#(effect)",\#(who)"\#(not)Action":"\#(random.pick(actions))","Resource":"\#(random.pick(resources))""#
            + "\(random.pick(conditions))}"
    }

    private static func document(_ statements: [String], _ kind: PolicyDocument.Kind) throws -> PolicyDocument {
        var reader = PolicyReader(kind)
        let text = #"{"Version":"2012-10-17","Statement":[\#(statements.joined(separator: ","))]}"#
        return try #require(reader.read(try JSONValue(parsing: text.utf8)), "\(reader.problems)")
    }

    private struct World {
        var identity: [String]
        var resource: [String]

        func refusal(_ random: Seeded) throws -> AccessRefusal? {
            var random = random
            let policies = identity.isEmpty ? [] : [try document(identity, .identity)]
            let principal =
                random.pick([true, true, true, false])
                ? Principal(
                    account: random.pick([account, stranger]),
                    kind: .user(random.pick(["alice", "bob"])),
                    policies: policies
                )
                : Principal(account: random.pick([account, stranger]), kind: .root, policies: policies)
            let asked = request(
                principal,
                random.pick(["kinesis:PutRecord", "kinesis:GetRecords", "firehose:PutRecord"]),
                random.pick([stream, "arn:aws:kinesis:us-east-1:123456789012:stream/alice", "*"]),
                context: context(
                    from: random.pick(["203.0.113.7", "203.0.113.200", nil]),
                    isSecure: random.pick([true, false])
                ),
                resourceTags: random.pick([[], [TagPair("env", "prod")]]),
                requestTags: random.pick([[], [TagPair("env", "x")], [TagPair("env", "x"), TagPair("b", "y")]])
            )
            return asked.refusal(resourcePolicy: resource.isEmpty ? nil : try document(resource, .resource))
        }
    }

    @Test("whatever is cut, doubled or overwritten in a document, reading it ends with a policy or with problems")
    func mutations() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(state: seed)
        let original = Array(
            #"""
            {"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":["123456789012","*"]},
            "Action":["kinesis:Put*","*"],"Resource":"arn:aws:kinesis:*:*:stream/${aws:username, 'x'}?*${*}","Condition":{
            "ForAnyValue:StringLikeIfExists":{"aws:TagKeys":["a*","${aws:PrincipalArn}"]},"NumericLessThan":{"aws:EpochTime":"1e9"},
            "DateLessThan":{"aws:CurrentTime":"2026-11-21T06:09:10.5+01:00"},"IpAddress":{"aws:SourceIp":["::1/64","1.2.3.4/8"]},
            "Null":{"aws:ResourceTag/k":true},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}}]}
            """#.utf8
        )
        let pieces = [
            "\"", "{", "}", "[", "]", "${", "}", "*", "?", ":", "/", "", ",", "'", "999999999999999999999", "-",
            "\\u0130",
        ]
        var (read, judged) = (0, 0)
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let start = Int.random(in: 0..<bytes.count, using: &random)
                let end = min(bytes.count, start + Int.random(in: 0...6, using: &random))
                bytes.replaceSubrange(start..<end, with: Array(random.pick(pieces).utf8))
            }
            guard let json = try? JSONValue(parsing: bytes) else { continue }
            read += 1
            var reader = PolicyReader(.resource)
            let document = reader.read(json)
            #expect(
                (document == nil) != reader.problems.isEmpty,
                "seed \(seed): \(String(decoding: bytes, as: UTF8.self))"
            )
            guard let document else { continue }
            judged += 1
            _ = request(user("*", in: account)).refusal(resourcePolicy: document)
        }
        #expect(read > 1000 && judged > 100, "seed \(seed): \(read) were JSON, \(judged) were policies")
    }

    @Test("more Denies never allow more, more Allows never allow less, and order does not matter")
    func properties() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(state: seed)
        var allowed = 0
        for _ in 0..<3000 {
            var world = World(identity: [], resource: [])
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                world.identity.append(Self.statement(random.pick(["Allow", "Allow", "Deny"]), .identity, &random))
            }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                world.resource.append(Self.statement(random.pick(["Allow", "Allow", "Deny"]), .resource, &random))
            }
            let question = Seeded(state: random.next())
            let before = try world.refusal(question)
            allowed += before == nil ? 1 : 0

            var shuffled = world
            shuffled.identity.shuffle(using: &random)
            shuffled.resource.shuffle(using: &random)
            #expect(try shuffled.refusal(question) == before, "seed \(seed): \(world)")

            for effect in ["Deny", "Allow"] {
                var more = world
                if Bool.random(using: &random) {
                    more.identity.append(Self.statement(effect, .identity, &random))
                } else {
                    more.resource.append(Self.statement(effect, .resource, &random))
                }
                let after = try more.refusal(question)
                if effect == "Deny" {
                    #expect(before == nil || after != nil, "seed \(seed): a Deny more allows \(more)")
                } else {
                    #expect(before != nil || after == nil, "seed \(seed): an Allow more refuses \(more)")
                }
            }
        }
        #expect(allowed > 100, "seed \(seed): the worlds say something")
    }
}
