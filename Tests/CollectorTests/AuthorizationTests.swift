import AWSProtocol
import AccessPolicy
import Testing

@testable import Collector

@Suite("Who may do what with streams and consumers")
struct AuthorizationTests {
    private static let account = "000000000000"
    private static let stranger = "111122223333"
    private static let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/s"

    private static func caller(_ statements: String? = nil, account: String = account, name: String = "alice") throws
        -> Caller
    {
        var policies: [PolicyDocument] = []
        if let statements {
            var reader = PolicyReader(.identity)
            let json = try JSONValue(parsing: #"{"Version":"2012-10-17","Statement":[\#(statements)]}"#.utf8)
            let document = reader.read(json)
            policies = [try #require(document, "\(reader.problems)")]
        }
        return wrap(Principal(account: account, kind: .user(name), accessKeyID: "AKIA", policies: policies))
    }

    private static func root(_ account: String = account) -> Caller { wrap(Principal(account: account, kind: .root)) }

    private static func wrap(_ principal: Principal) -> Caller {
        let context = CallContext(sourceAddress: "127.0.0.1", isSecure: false, userAgent: nil, milliseconds: 0)
        return Caller(principal: principal, context: context, region: "eu-west-1")
    }

    private static func allow(_ action: String, _ resource: String = "*", _ condition: String = "") -> String {
        #"{"Effect":"Allow","Action":"\#(action)","Resource":"\#(resource)"\#(condition)}"#
    }

    private static func call(
        _ service: Service,
        _ caller: Caller,
        _ operation: String,
        _ json: String
    ) async throws -> JSONValue {
        let bytes = try await service.collector.kinesis(
            APIRequest(operation: operation, region: "eu-west-1", body: Array(json.utf8), caller: caller)
        ).bytes
        return bytes.isEmpty ? .null : try JSONValue(parsing: bytes)
    }

    /// The error's code, nil when the call succeeds.
    private static func code(
        _ service: Service,
        _ caller: Caller,
        _ operation: String,
        _ json: String
    ) async throws -> String? {
        do {
            _ = try await call(service, caller, operation, json)
            return nil
        } catch let error as AWSError {
            return error.code
        }
    }

    private static func service() async throws -> Service {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":2,"Tags":{"owner":"alice"}}"#)
        try await service.call("RegisterStreamConsumer", #"{"StreamARN":"\#(arn)","ConsumerName":"c"}"#)
        return service
    }

    private static func consumerARN(_ service: Service) async throws -> String {
        let answer = try await service.call("ListStreamConsumers", #"{"StreamARN":"\#(arn)"}"#)
        return try #require(answer["Consumers"]?.array?.first?["ConsumerARN"]?.string)
    }

    @Test("every operation is refused to a caller without a policy, before anything is told")
    func everything() async throws {
        let service = try await Self.service()
        let nobody = try Self.caller()
        let iterator = try await service.iterator("s", "shardId-000000000000", "TRIM_HORIZON")
        let consumer = try await Self.consumerARN(service)
        let (name, named) = (#""StreamName":"s""#, #""StreamARN":"\#(Self.arn)""#)
        let resource = #""ResourceARN":"\#(Self.arn)""#
        let bodies: [(String, String)] = [
            ("AddTagsToStream", #"{\#(name),"Tags":{"a":"b"}}"#),
            ("CreateStream", #"{"StreamName":"t","ShardCount":1}"#),
            ("DecreaseStreamRetentionPeriod", #"{\#(name),"RetentionPeriodHours":24}"#),
            ("DeleteResourcePolicy", "{\(resource)}"), ("DeleteStream", "{\(name)}"),
            ("DeregisterStreamConsumer", #"{"ConsumerARN":"\#(consumer)"}"#), ("DescribeAccountSettings", "{}"),
            ("DescribeLimits", "{}"), ("DescribeStream", "{\(name)}"),
            ("DescribeStreamConsumer", #"{\#(named),"ConsumerName":"c"}"#), ("DescribeStreamSummary", "{\(named)}"),
            ("DisableEnhancedMonitoring", #"{\#(name),"ShardLevelMetrics":["ALL"]}"#),
            ("EnableEnhancedMonitoring", #"{\#(name),"ShardLevelMetrics":["ALL"]}"#),
            ("GetRecords", #"{"ShardIterator":"\#(iterator)"}"#), ("GetResourcePolicy", "{\(resource)}"),
            (
                "GetShardIterator",
                #"{\#(name),"ShardId":"shardId-000000000000","ShardIteratorType":"LATEST"}"#
            ),
            ("IncreaseStreamRetentionPeriod", #"{\#(name),"RetentionPeriodHours":48}"#), ("ListShards", "{\(name)}"),
            ("ListStreamConsumers", "{\(named)}"), ("ListStreams", "{}"), ("ListTagsForResource", "{\(resource)}"),
            ("ListTagsForStream", "{\(name)}"),
            (
                "MergeShards",
                #"{\#(name),"ShardToMerge":"shardId-000000000000","AdjacentShardToMerge":"shardId-000000000001"}"#
            ),
            ("PutRecord", #"{\#(name),"Data":"","PartitionKey":"k"}"#),
            ("PutRecords", #"{\#(name),"Records":[{"Data":"","PartitionKey":"k"}]}"#),
            (
                "PutResourcePolicy",
                #"{\#(resource),"Policy":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kinesis:*\",\"Resource\":\"*\"}}"}"#
            ),
            ("RegisterStreamConsumer", #"{\#(named),"ConsumerName":"d"}"#),
            ("RemoveTagsFromStream", #"{\#(name),"TagKeys":["a"]}"#),
            ("SplitShard", #"{\#(name),"ShardToSplit":"shardId-000000000000","NewStartingHashKey":"7"}"#),
            ("StartStreamEncryption", #"{\#(name),"EncryptionType":"KMS","KeyId":"alias/aws/kinesis"}"#),
            ("StopStreamEncryption", #"{\#(name),"EncryptionType":"KMS","KeyId":"alias/aws/kinesis"}"#),
            ("TagResource", #"{\#(resource),"Tags":{"a":"b"}}"#),
            ("UntagResource", #"{\#(resource),"TagKeys":["a"]}"#),
            ("UpdateAccountSettings", #"{"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}}"#),
            ("UpdateMaxRecordSize", #"{\#(named),"MaxRecordSizeInKiB":2048}"#),
            ("UpdateShardCount", #"{\#(name),"TargetShardCount":4,"ScalingType":"UNIFORM_SCALING"}"#),
            ("UpdateStreamMode", #"{\#(named),"StreamModeDetails":{"StreamMode":"ON_DEMAND"}}"#),
            ("UpdateStreamRecordDistributionStrategy", #"{\#(named),"RecordDistributionStrategy":"AUTO"}"#),
            (
                "SubscribeToShard",
                #"{"ConsumerARN":"\#(consumer)","ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}}"#
            ),
            ("UpdateStreamWarmThroughput", #"{\#(name),"WarmThroughputMiBps":100}"#), ("ListChannels", "{}"),
        ]
        for (operation, body) in bodies {
            #expect(
                try await Self.code(service, nobody, operation, body) == "AccessDeniedException",
                "\(operation) \(body)"
            )
            let elsewhere = body.replacing("\"s\"", with: "\"nowhere\"").replacing(
                "stream/s\"",
                with: "stream/nowhere\""
            )
            #expect(
                try await Self.code(service, nobody, operation, elsewhere) == "AccessDeniedException",
                "\(operation) tells whether a stream is there"
            )
        }
    }

    @Test("the sentence names caller, action and resource")
    func words() async throws {
        let service = try await Self.service()
        let error = await #expect(throws: AWSError.self) {
            try await Self.call(
                service,
                Self.caller(),
                "PutRecord",
                #"{"StreamName":"s","Data":"","PartitionKey":"k"}"#
            )
        }
        #expect(
            error?.message
                == "User: arn:aws:iam::000000000000:user/alice is not authorized to perform: kinesis:PutRecord on resource: "
                + "\(Self.arn) because no identity-based policy allows the kinesis:PutRecord action"
        )
    }

    @Test("streams by pattern, by their tags, and by the tags of a request")
    func identityPolicies() async throws {
        let service = try await Self.service()
        let describe = #"{"StreamName":"s"}"#
        let own = try Self.caller(Self.allow("kinesis:Describe*", "arn:aws:kinesis:*:*:stream/s*"))
        #expect(try await Self.code(service, own, "DescribeStreamSummary", describe) == nil)
        #expect(try await Self.code(service, own, "ListShards", describe) == "AccessDeniedException")
        #expect(
            try await Self.code(service, own, "DescribeStream", #"{"StreamName":"sx"}"#) == "ResourceNotFoundException"
        )
        let tagged = Self.allow(
            "kinesis:*",
            "*",
            #","Condition":{"StringEquals":{"aws:ResourceTag/owner":"${aws:username}"}}"#
        )
        #expect(try await Self.code(service, Self.caller(tagged), "DescribeStream", describe) == nil)
        #expect(
            try await Self.code(service, Self.caller(tagged, name: "bob"), "DescribeStream", describe)
                == "AccessDeniedException"
        )
        let creator = try Self.caller(
            Self.allow("kinesis:CreateStream", "*", #","Condition":{"StringEquals":{"aws:RequestTag/env":"test"}}"#)
                + "," + Self.allow("kinesis:AddTagsToStream")
        )
        func create(_ tags: String) -> String { #"{"StreamName":"n","ShardCount":1,"Tags":{\#(tags)}}"# }
        #expect(
            try await Self.code(service, creator, "CreateStream", create(#""env":"prod""#)) == "AccessDeniedException"
        )
        #expect(try await Self.code(service, creator, "CreateStream", create(#""env":"test""#)) == nil)
        let untagging = try Self.caller(Self.allow("kinesis:CreateStream"))
        #expect(
            try await Self.code(
                service,
                untagging,
                "CreateStream",
                #"{"StreamName":"m","ShardCount":1,"Tags":{"a":"b"}}"#
            )
                == "AccessDeniedException"
        )
        #expect(try await Self.code(service, untagging, "CreateStream", #"{"StreamName":"m","ShardCount":1}"#) == nil)
    }

    private static func put(_ policy: String, on arn: String, of service: Service, as caller: Caller = root())
        async throws
    {
        let text = policy.replacing("\"", with: "\\\"")
        _ = try await call(service, caller, "PutResourcePolicy", #"{"ResourceARN":"\#(arn)","Policy":"\#(text)"}"#)
    }

    @Test("a stream's own policy lets in another account, together with that account's policy")
    func acrossAccounts() async throws {
        let service = try await Self.service()
        let abroad = try Self.caller(Self.allow("kinesis:*"), account: Self.stranger)
        let byARN = #"{"StreamARN":"\#(Self.arn)"}"#
        #expect(try await Self.code(service, abroad, "ListShards", byARN) == "AccessDeniedException")
        try await Self.put(
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["kinesis:ListShards","kinesis:GetRecords","kinesis:GetShardIterator"],"Resource":"\#(Self.arn)"}}"#,
            on: Self.arn,
            of: service
        )
        let page = try await Self.call(service, abroad, "ListShards", #"{"StreamARN":"\#(Self.arn)","MaxResults":1}"#)
        let token = try #require(page["NextToken"]?.string)
        #expect(try await Self.code(service, abroad, "ListShards", #"{"NextToken":"\#(token)"}"#) == nil)
        #expect(try await Self.code(service, abroad, "DescribeStream", byARN) == "AccessDeniedException")
        let iterator = try await Self.call(
            service,
            abroad,
            "GetShardIterator",
            #"{"StreamARN":"\#(Self.arn)","ShardId":"shardId-000000000000","ShardIteratorType":"LATEST"}"#
        )
        let text = try #require(iterator["ShardIterator"]?.string)
        #expect(try await Self.code(service, abroad, "GetRecords", #"{"ShardIterator":"\#(text)"}"#) == nil)

        // A bare name means the caller's own account, which has no streams here.
        let error = await #expect(throws: AWSError.self) {
            try await Self.call(service, abroad, "ListShards", #"{"StreamName":"s"}"#)
        }
        #expect(error?.message == "Stream s under account 111122223333 not found.")
        for operation in ["ListStreams", "DescribeLimits"] {
            #expect(try await Self.code(service, abroad, operation, "{}") == "AccessDeniedException")
        }
        let create = #"{"StreamName":"x","ShardCount":1}"#
        #expect(try await Self.code(service, abroad, "CreateStream", create) == "AccessDeniedException")
        let weak = try Self.caller(nil, account: Self.stranger)
        #expect(try await Self.code(service, weak, "ListShards", byARN) == "AccessDeniedException")
    }

    @Test("a stream's Deny binds everybody, and the account can take it back; the policy outlives a restart")
    func resourceDeny() async throws {
        let service = try await Self.service()
        let describe = #"{"StreamName":"s"}"#
        try await Self.put(
            #"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"kinesis:*","Resource":"\#(Self.arn)"}}"#,
            on: Self.arn,
            of: service
        )
        #expect(try await Self.code(service, Self.root(), "DescribeStream", describe) == "AccessDeniedException")
        let heir = try await Service(log: service.log, state: service.state)
        #expect(try await Self.code(heir, Self.root(), "DescribeStream", describe) == "AccessDeniedException")
        let resource = #"{"ResourceARN":"\#(Self.arn)"}"#
        let all = try Self.caller(Self.allow("*"))
        #expect(try await Self.code(heir, all, "DeleteResourcePolicy", resource) == "AccessDeniedException")
        #expect(try await Self.code(heir, Self.root(), "DeleteResourcePolicy", resource) == nil)
        #expect(try await Self.code(heir, Self.root(), "DescribeStream", describe) == nil)
    }

    @Test("a consumer has a policy and tags of its own")
    func consumers() async throws {
        let service = try await Self.service()
        let consumer = try await Self.consumerARN(service)
        let nobody = try Self.caller()
        let describe = #"{"ConsumerARN":"\#(consumer)"}"#
        try await Self.put(
            #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/alice"},"Action":"kinesis:DescribeStreamConsumer","Resource":"\#(consumer)"}}"#,
            on: consumer,
            of: service
        )
        #expect(try await Self.code(service, nobody, "DescribeStreamConsumer", describe) == nil)
        let byName = #"{"StreamARN":"\#(Self.arn)","ConsumerName":"c"}"#
        #expect(try await Self.code(service, nobody, "DescribeStreamConsumer", byName) == nil)
        #expect(try await Self.code(service, nobody, "DeregisterStreamConsumer", describe) == "AccessDeniedException")
        #expect(
            try await Self.code(service, nobody, "DescribeStreamSummary", #"{"StreamName":"s"}"#)
                == "AccessDeniedException"
        )
        let anyConsumer = try Self.caller(Self.allow("kinesis:DescribeStreamConsumer", "\(Self.arn)/consumer/*"))
        let missing = #"{"StreamARN":"\#(Self.arn)","ConsumerName":"d"}"#
        #expect(
            try await Self.code(service, anyConsumer, "DescribeStreamConsumer", missing) == "ResourceNotFoundException"
        )
        #expect(try await Self.code(service, nobody, "DescribeStreamConsumer", missing) == "AccessDeniedException")
        let tagging = try Self.caller(Self.allow("kinesis:RegisterStreamConsumer"))
        let register = #"{"StreamARN":"\#(Self.arn)","ConsumerName":"e","Tags":{"a":"b"}}"#
        #expect(try await Self.code(service, tagging, "RegisterStreamConsumer", register) == "AccessDeniedException")
    }

    @Test("PutResourcePolicy takes what can be judged by, and says why not")
    func refusedPolicies() async throws {
        let service = try await Self.service()
        for (policy, words) in [
            ("no JSON", "This policy contains invalid Json"),
            (
                #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Actoin":"*","Resource":"*"}}"#,
                "Statement.Actoin is no element"
            ),
            (
                #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kinesis:*","Resource":"\#(Self.arn)2"}}"#,
                "The resource policy's resource must be the same as the resource ARN."
            ),
        ] {
            let error = await #expect(throws: AWSError.self) { try await Self.put(policy, on: Self.arn, of: service) }
            #expect(error?.code == "InvalidArgumentException")
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
        let verbatim =
            #"{ "Version":"2012-10-17", "Statement": [{"Effect":"Allow","Principal":"*","Action":"kinesis:*","Resource":"\#(Self.arn)"}] }"#
        try await Self.put(verbatim, on: Self.arn, of: service)
        let answer = try await service.call("GetResourcePolicy", #"{"ResourceARN":"\#(Self.arn)"}"#)
        #expect(answer["Policy"]?.string == verbatim)
    }
}
