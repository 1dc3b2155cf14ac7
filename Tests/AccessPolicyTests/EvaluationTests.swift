import AWSProtocol
import Testing

@testable import AccessPolicy

/// The table of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, case by case.
@Suite("Policy evaluation")
struct EvaluationTests {
    static let allow = #"{"Effect":"Allow","Action":"kinesis:PutRecord","Resource":"*"}"#
    static let deny = #"{"Effect":"Deny","Action":"kinesis:Put*","Resource":"*"}"#
    static let unrelated = #"{"Effect":"Allow","Action":"kinesis:GetRecords","Resource":"*"}"#

    static func resource(_ effect: String, _ principal: String) -> String {
        #"{"Effect":"\#(effect)","Principal":\#(principal),"Action":"kinesis:PutRecord","Resource":"\#(stream)"}"#
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        /// Statements of the caller's policy; nil for the account itself.
        var identity: String?
        var resource: String?
        var from = account
        var reason: AccessRefusal.Reason?
        var testDescription: String { name }
    }

    private static let me = #"{"AWS":"arn:aws:iam::123456789012:user/alice"}"#
    private static let mine = #"{"AWS":"123456789012"}"#
    private static let them = #"{"AWS":"arn:aws:iam::210987654321:user/alice"}"#
    private static let theirs = #"{"AWS":"arn:aws:iam::210987654321:root"}"#

    static let cases: [Case] = [
        Case(name: "nothing says anything", identity: unrelated, reason: .noIdentityAllow),
        Case(name: "the identity's Allow", identity: allow),
        Case(name: "Deny beats Allow", identity: "\(allow),\(deny)", reason: .identityDeny),
        Case(name: "Deny before Allow beats it too", identity: "\(deny),\(allow)", reason: .identityDeny),
        Case(name: "the account itself needs no policy", identity: nil),
        Case(name: "the resource's Allow for the user", identity: unrelated, resource: resource("Allow", me)),
        Case(name: "the resource's Allow for everybody", identity: unrelated, resource: resource("Allow", "\"*\"")),
        Case(
            name: "the resource's Allow for the account passes the question on",
            identity: unrelated,
            resource: resource("Allow", mine),
            reason: .noIdentityAllow
        ),
        Case(name: "account and identity both allow", identity: allow, resource: resource("Allow", mine)),
        Case(
            name: "a policy on the resource for others takes nothing away",
            identity: allow,
            resource: resource("Allow", them)
        ),
        Case(
            name: "the resource's Deny for the user",
            identity: allow,
            resource: resource("Deny", me),
            reason: .resourceDeny
        ),
        Case(
            name: "the resource's Deny for the account binds its users",
            identity: allow,
            resource: resource("Deny", mine),
            reason: .resourceDeny
        ),
        Case(
            name: "the resource's Deny for everybody binds the account itself",
            identity: nil,
            resource: resource("Deny", "\"*\""),
            reason: .resourceDeny
        ),
        Case(
            name: "the identity's Deny beats the resource's Allow",
            identity: deny,
            resource: resource("Allow", me),
            reason: .identityDeny
        ),
        Case(
            name: "from another account: the identity alone is not enough",
            identity: allow,
            from: stranger,
            reason: .noResourceAllow
        ),
        Case(
            name: "from another account: the resource alone is not enough",
            identity: unrelated,
            resource: resource("Allow", them),
            from: stranger,
            reason: .noIdentityAllow
        ),
        Case(
            name: "from another account: both allow",
            identity: allow,
            resource: resource("Allow", them),
            from: stranger
        ),
        Case(
            name: "from another account: the resource names the account, the identity allows",
            identity: allow,
            resource: resource("Allow", theirs),
            from: stranger
        ),
        Case(
            name: "from another account: everybody, and the identity allows",
            identity: allow,
            resource: resource("Allow", "\"*\""),
            from: stranger
        ),
        Case(name: "another account itself", identity: nil, from: stranger, reason: .noResourceAllow),
        Case(
            name: "another account itself, named by the resource",
            identity: nil,
            resource: resource("Allow", theirs),
            from: stranger
        ),
        Case(
            name: "from another account: the resource's Deny wins",
            identity: allow,
            resource: "\(resource("Allow", theirs)),\(resource("Deny", them))",
            from: stranger,
            reason: .resourceDeny
        ),
    ]

    @Test("who may put", arguments: cases)
    func table(_ given: Case) throws {
        let caller =
            try given.identity.map { user("alice", in: given.from, try identityPolicy(statements: $0)) }
            ?? Principal(account: given.from, kind: .root)
        let policy = try given.resource.map { try resourcePolicy(statements: $0) }
        #expect(request(caller).refusal(resourcePolicy: policy)?.reason == given.reason)
    }

    @Test("refusals are said in AWS's words")
    func words() throws {
        let alice = user("alice", in: account, try identityPolicy(statements: Self.unrelated))
        let start =
            "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: kinesis:PutRecord on resource: \(stream) "
        let error = request(alice).refusal(resourcePolicy: nil)?.error
        #expect(error == AWSError("AccessDeniedException", ""))
        #expect(error?.status == 400)
        #expect(error?.message == start + "because no identity-based policy allows the kinesis:PutRecord action")
        let denied = user("alice", in: account, try identityPolicy(statements: Self.deny))
        #expect(
            request(denied).refusal(resourcePolicy: nil)?.message
                == start + "with an explicit deny in an identity-based policy"
        )
        let policy = try resourcePolicy(statements: Self.resource("Deny", "\"*\""))
        #expect(
            request(alice).refusal(resourcePolicy: policy)?.message
                == start + "with an explicit deny in a resource-based policy"
        )
        let abroad = user("alice", in: stranger, try identityPolicy(statements: Self.allow))
        #expect(
            request(abroad).refusal(resourcePolicy: nil)?.message
                == "User: arn:aws:iam::210987654321:user/alice is not authorized to perform: kinesis:PutRecord on "
                + "resource: \(stream) because no resource-based policy allows the kinesis:PutRecord action"
        )
    }

    @Test("a policy that shuts everybody out can be taken back by the account, and by nobody else")
    func mending() throws {
        let shut = try resourcePolicy(
            statements: #"{"Effect":"Deny","Principal":"*","Action":"kinesis:*","Resource":"\#(stream)"}"#
        )
        let root = Principal(account: account, kind: .root)
        #expect(request(root, "kinesis:DeleteResourcePolicy").refusal(resourcePolicy: shut) == nil)
        #expect(request(root, "kinesis:DeleteStream").refusal(resourcePolicy: shut)?.reason == .resourceDeny)
        let all = user(
            "admin",
            in: account,
            try identityPolicy(statements: #"{"Effect":"Allow","Action":"*","Resource":"*"}"#)
        )
        #expect(request(all, "kinesis:DeleteResourcePolicy").refusal(resourcePolicy: shut)?.reason == .resourceDeny)
        let foreign = Principal(account: stranger, kind: .root)
        #expect(request(foreign, "kinesis:DeleteResourcePolicy").refusal(resourcePolicy: nil) != nil)
    }

    @Test("a role's session is named by the role or by itself")
    func sessions() throws {
        let none = try identityPolicy(statements: Self.unrelated)
        let session = Principal(account: account, kind: .session(role: "team/writer", name: "s1"), policies: [none])
        #expect(session.arn == "arn:aws:sts::123456789012:assumed-role/writer/s1")
        for (arn, isAllowed) in [
            ("arn:aws:iam::123456789012:role/team/writer", true),
            ("arn:aws:sts::123456789012:assumed-role/writer/s1", true),
            ("arn:aws:sts::123456789012:assumed-role/writer/s2", false),
            ("arn:aws:iam::123456789012:user/writer", false),
        ] {
            let policy = try resourcePolicy(statements: Self.resource("Allow", #"{"AWS":"\#(arn)"}"#))
            #expect((request(session).refusal(resourcePolicy: policy) == nil) == isAllowed, "\(arn)")
        }
    }

    @Test("NotPrincipal with Deny spares whom it names, not everybody of their account")
    func notPrincipal() throws {
        let spared = #"{"AWS":["arn:aws:iam::123456789012:user/alice","arn:aws:iam::123456789012:root"]}"#
        let policy = try resourcePolicy(
            statements: #"""
                {"Effect":"Deny","NotPrincipal":\#(spared),"Action":"kinesis:PutRecord","Resource":"\#(stream)"}
                """#
        )
        let allow = try identityPolicy(statements: Self.allow)
        #expect(request(user("alice", in: account, allow)).refusal(resourcePolicy: policy) == nil)
        #expect(request(Principal(account: account, kind: .root)).refusal(resourcePolicy: policy) == nil)
        #expect(
            request(user("bob", in: account, allow)).refusal(resourcePolicy: policy)?.reason == .resourceDeny
        )
    }
}
