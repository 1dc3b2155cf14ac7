import Testing

@testable import AccessPolicy

@Suite("Conditions")
struct ConditionTests {
    @Test(
        "operators on keys with one value",
        arguments: [
            (#"{"StringEquals":{"aws:username":"alice"}}"#, true),
            (#"{"StringEquals":{"AWS:UserName":["bob","alice"]}}"#, true),
            (#"{"StringEquals":{"aws:username":"Alice"}}"#, false),
            (#"{"StringEquals":{"aws:username":"al*"}}"#, false),
            (#"{"StringNotEquals":{"aws:username":["bob","alice"]}}"#, false),
            (#"{"StringNotEquals":{"aws:username":["bob","carol"]}}"#, true),
            (#"{"StringEqualsIgnoreCase":{"aws:username":"ALICE"}}"#, true),
            (#"{"StringEqualsIgnoreCase":{"aws:username":"${aws:UserName}"}}"#, true),
            (#"{"StringNotEqualsIgnoreCase":{"aws:username":"ALICE"}}"#, false),
            (#"{"StringLike":{"aws:username":"a?i*"}}"#, true),
            (#"{"StringLike":{"aws:UserAgent":"*boto3*"}}"#, false),
            (#"{"StringNotLike":{"aws:UserAgent":"Boto3/*"}}"#, false),
            (#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}"#, true),
            (#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/al*"}}"#, true),
            (#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/*"}}"#, true),
            (#"{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/alice"}}"#, false),
            (#"{"StringEquals":{"aws:PrincipalAccount":"123456789012","aws:ResourceAccount":"123456789012"}}"#, true),
            (#"{"StringEquals":{"aws:RequestedRegion":["eu-west-1"]}}"#, false),
            (#"{"Bool":{"aws:SecureTransport":"false"}}"#, true),
            (#"{"Bool":{"aws:SecureTransport":true}}"#, false),
            (#"{"Bool":{"aws:PrincipalIsAWSService":"false","aws:ViaAWSService":false}}"#, true),
            (#"{"NumericLessThan":{"aws:EpochTime":1795241351}}"#, true),
            (#"{"NumericLessThanEquals":{"aws:EpochTime":"1795241350"}}"#, true),
            (#"{"NumericGreaterThan":{"aws:EpochTime":1795241350}}"#, false),
            (#"{"NumericGreaterThanEquals":{"aws:EpochTime":1795241350.5}}"#, false),
            (#"{"NumericEquals":{"aws:EpochTime":1795241350}}"#, true),
            (#"{"NumericNotEquals":{"aws:EpochTime":1795241350}}"#, false),
            (#"{"DateGreaterThan":{"aws:CurrentTime":"2026-11-21T06:09:09Z"}}"#, true),
            (#"{"DateGreaterThan":{"aws:CurrentTime":"2026-11-21T07:09:09+01:00"}}"#, true),
            (#"{"DateLessThan":{"aws:CurrentTime":"2026-11-22"}}"#, true),
            (#"{"DateLessThanEquals":{"aws:EpochTime":"2026-11-21T06:09:10Z"}}"#, true),
            (#"{"DateGreaterThanEquals":{"aws:CurrentTime":"1795241350"}}"#, true),
            (#"{"DateEquals":{"aws:CurrentTime":"2026-11-21T06:09:10Z"}}"#, true),
            (#"{"DateNotEquals":{"aws:CurrentTime":"2026-11-21T06:09:10Z"}}"#, false),
            (#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, true),
            (#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.7"]}}"#, true),
            (#"{"IpAddress":{"aws:SourceIp":"203.0.113.8/32"}}"#, false),
            (#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#, true),
            (#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, false),
            (#"{"NotIpAddress":{"aws:SourceIp":"2001:db8::/32"}}"#, true),
            // Both keys must hold; either value is enough.
            (#"{"StringEquals":{"aws:username":"alice","aws:RequestedRegion":"eu-west-1"}}"#, false),
            (#"{"StringEquals":{"aws:username":"alice"},"Bool":{"aws:SecureTransport":"true"}}"#, false),
        ]
    )
    func operators(condition: String, holds: Bool) throws { #expect(try allows(condition) == holds) }

    @Test(
        "a key that the request lacks",
        arguments: [
            (#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, false),
            (#"{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}"#, true),
            (#"{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}"#, true),
            (#"{"StringLikeIfExists":{"aws:username":"bob"}}"#, false),
            (#"{"Null":{"aws:SourceVpc":"true"}}"#, true),
            (#"{"Null":{"aws:SourceVpc":false}}"#, false),
            (#"{"Null":{"aws:username":"false"}}"#, true),
            (#"{"ForAnyValue:StringLike":{"aws:TagKeys":"*"}}"#, false),
            (#"{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}"#, true),
            (#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, false),
            (#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, true),
        ]
    )
    func absent(condition: String, holds: Bool) throws { #expect(try allows(condition) == holds) }

    @Test(
        "keys with several values",
        arguments: [
            (#"{"ForAllValues:StringEquals":{"aws:TagKeys":["env","team","cost"]}}"#, true),
            (#"{"ForAllValues:StringEquals":{"aws:TagKeys":["env"]}}"#, false),
            (#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}"#, true),
            (#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["cost"]}}"#, false),
            (#"{"ForAllValues:StringNotEquals":{"aws:TagKeys":["team"]}}"#, false),
            (#"{"ForAllValues:StringNotLike":{"aws:TagKeys":["c*"]}}"#, true),
            (#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team"]}}"#, true),
            (#"{"StringEquals":{"aws:RequestTag/env":"prod"}}"#, true),
            (#"{"StringEquals":{"aws:requesttag/ENV":"prod"}}"#, true),
            (#"{"StringEquals":{"aws:ResourceTag/owner":"${aws:username}"}}"#, true),
            (#"{"StringEquals":{"aws:ResourceTag/owner":"bob"}}"#, false),
            (#"{"StringEquals":{"aws:ResourceTag/other":"x"}}"#, false),
        ]
    )
    func several(condition: String, holds: Bool) throws {
        #expect(
            try allows(
                condition,
                resourceTags: [TagPair("owner", "alice")],
                requestTags: [TagPair("env", "prod"), TagPair("team", "blue")]
            ) == holds
        )
    }

    @Test("IPv6 sources, and IPv4 sources as a dual-stack socket sees them")
    func addresses() throws {
        let range = #"{"IpAddress":{"aws:SourceIp":["2001:db8::/33","203.0.113.0/24"]}}"#
        #expect(try allows(range, context: context(from: "2001:db8:7fff::1")))
        #expect(try !allows(range, context: context(from: "2001:db8:8000::1")))
        #expect(try allows(range, context: context(from: "::ffff:203.0.113.9")))
        #expect(try !allows(range, context: context(from: nil)))
        #expect(try allows(#"{"IpAddress":{"aws:SourceIp":"fe80::/10"}}"#, context: context(from: "fe80::1%eth0")))
    }

    @Test("a condition on a Deny takes away only where it holds")
    func conditionalDeny() throws {
        let policy = try identityPolicy(
            statements: #"""
                {"Effect":"Allow","Action":"*","Resource":"*"},
                {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}
                """#
        )
        let alice = user("alice", in: account, policy)
        #expect(request(alice).refusal(resourcePolicy: nil)?.reason == .identityDeny)
        #expect(request(alice, context: context(isSecure: true)).refusal(resourcePolicy: nil) == nil)
    }

    @Test("users have a name, roles and the account have none")
    func names() throws {
        #expect(
            try !allows(#"{"Null":{"aws:username":"false"}}"#) {
                Principal(account: account, kind: .session(role: "r", name: "s"), policies: [$0])
            }
        )
        #expect(try allows(#"{"StringEquals":{"aws:username":"alice"}}"#) { user("team/alice", in: account, $0) })
        #expect(
            try allows(#"{"StringLike":{"aws:userid":"AROA*:s"}}"#) {
                Principal(account: account, kind: .session(role: "r", name: "s"), policies: [$0])
            }
        )
    }
}
