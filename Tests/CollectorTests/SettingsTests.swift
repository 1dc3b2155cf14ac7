import AWSProtocol
import ShardLog
import StateStore
import Testing

@testable import Collector

@Suite("settings of a stream")
struct SettingsTests {
    private let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/s"

    private func service(
        _ configuration: Collector.Configuration = Collector.Configuration()
    ) async throws -> Service {
        let service = try await Service(configuration: configuration)
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":2}"#)
        return service
    }

    private func summary(_ service: Service) async throws -> JSONValue {
        let answer = try await service.call("DescribeStreamSummary", #"{"StreamName":"s"}"#)
        return try #require(answer["StreamDescriptionSummary"])
    }

    private func message(_ body: () async throws -> Void) async throws -> String {
        do {
            try await body()
            return "accepted"
        } catch let error as AWSError {
            return "\(error)"
        }
    }

    @Test("tags are added, replaced, listed page by page in order of their keys, and removed")
    func tags() async throws {
        let service = try await service()
        try await service.call("AddTagsToStream", #"{"StreamName":"s","Tags":{"b":"1","a":"2","c":""}}"#)
        try await service.call("TagResource", #"{"ResourceARN":"\#(arn)","Tags":{"b":"3"}}"#)
        let page = try await service.call("ListTagsForStream", #"{"StreamName":"s","Limit":2}"#)
        #expect(page["Tags"]?.array?.map { $0["Key"]?.string } == ["a", "b"])
        #expect(page["HasMoreTags"]?.bool == true)
        let rest = try await service.call("ListTagsForStream", #"{"StreamName":"s","ExclusiveStartTagKey":"b"}"#)
        #expect(rest["Tags"]?.array?.map { $0["Key"]?.string } == ["c"])
        #expect(rest["HasMoreTags"]?.bool == false)
        try await service.call("RemoveTagsFromStream", #"{"StreamName":"s","TagKeys":["a","nothing"]}"#)
        try await service.call("UntagResource", #"{"ResourceARN":"\#(arn)","TagKeys":["c"]}"#)
        let left = try await service.call("ListTagsForResource", #"{"ResourceARN":"\#(arn)"}"#)
        #expect(left["Tags"]?.array?.count == 1)
        #expect(left["Tags"]?.array?.first?["Value"]?.string == "3")
    }

    @Test("a stream has 50 tags at most, and none with characters that AWS refuses")
    func tagRules() async throws {
        let service = try await service()
        for start in [0, 25] {
            let tags = (start..<start + 25).map { "\"k\($0)\":\"v\"" }.joined(separator: ",")
            try await service.call("AddTagsToStream", #"{"StreamName":"s","Tags":{\#(tags)}}"#)
        }
        for (tags, words) in [
            (#"{"one more":"v"}"#, "cannot have more than 10 tags"),
            (#"{"k0":"a;b"}"#, "Some tags contain invalid characters"),
            (#"{"k0":"100%"}"#, "contained illegal characters"), (#"{"aws:x":"v"}"#, "reserved"),
        ] {
            let text = try await message {
                try await service.call("AddTagsToStream", #"{"StreamName":"s","Tags":\#(tags)}"#)
            }
            #expect(text.hasPrefix("InvalidArgumentException") && text.contains(words), "\(text)")
        }
        try await service.call("AddTagsToStream", #"{"StreamName":"s","Tags":{"k0":"Größe 1/2 @x_:+-="}}"#)
    }

    @Test("records older than a shortened retention period can't be read any more")
    func retention() async throws {
        let service = try await service()
        try await service.call("IncreaseStreamRetentionPeriod", #"{"StreamName":"s","RetentionPeriodHours":72}"#)
        _ = try await service.put("s", [("k", "old")])
        service.time.advance(48 * 3_600_000)
        _ = try await service.put("s", [("k", "new")])
        func texts() async throws -> [String] {
            var texts: [String] = []
            for shard in ["0", "1"] {
                let iterator = try await service.iterator("s", shard, "TRIM_HORIZON")
                texts += try await service.read(iterator).records.compactMap { $0["Data"]?.string }
            }
            return texts
        }
        #expect(try await texts().count == 2)
        try await service.call("DecreaseStreamRetentionPeriod", #"{"StreamName":"s","RetentionPeriodHours":24}"#)
        #expect(try await texts() == [Base64.encode(Array("new".utf8))])
        #expect(try await summary(service)["RetentionPeriodHours"]?.integer == 24)
    }

    @Test(
        "retention is kept within 24 hours and a year, in AWS's words",
        arguments: [
            (
                "Increase", 23,
                "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short."
            ),
            (
                "Increase", 9999,
                "Maximum allowed retention period is 8760 hours. Requested retention period (9999 hours) is too long."
            ),
            (
                "Decrease", 30,
                "Requested retention period (30 hours) for stream s can not be longer than existing retention period (24 hours). Use IncreaseRetentionPeriod API."
            ),
        ]
    )
    func retentionBounds(direction: String, hours: Int, words: String) async throws {
        let service = try await service()
        let text = try await message {
            try await service.call(
                "\(direction)StreamRetentionPeriod",
                #"{"StreamName":"s","RetentionPeriodHours":\#(hours)}"#
            )
        }
        #expect(text == "InvalidArgumentException: " + words)
    }

    @Test("enhanced monitoring answers the set before and after, and ALL means the seven")
    func monitoring() async throws {
        let service = try await service()
        let all = try await service.call("EnableEnhancedMonitoring", #"{"StreamName":"s","ShardLevelMetrics":["ALL"]}"#)
        #expect(all["CurrentShardLevelMetrics"]?.array?.count == 0)
        #expect(all["DesiredShardLevelMetrics"]?.array?.count == 7)
        let less = try await service.call(
            "DisableEnhancedMonitoring",
            #"{"StreamName":"s","ShardLevelMetrics":["IncomingBytes"]}"#
        )
        #expect(less["CurrentShardLevelMetrics"]?.array?.count == 7)
        #expect(less["DesiredShardLevelMetrics"]?.array?.count == 6)
    }

    @Test("consumers are registered once per name, described, listed and deregistered; a new one has another ARN")
    func consumers() async throws {
        let service = try await service()
        func register() async throws -> String {
            let answer = try await service.call(
                "RegisterStreamConsumer",
                #"{"StreamARN":"\#(arn)","ConsumerName":"c","Tags":{"a":"b"}}"#
            )
            #expect(answer["Consumer"]?["ConsumerStatus"]?.string == "CREATING")
            return try #require(answer["Consumer"]?["ConsumerARN"]?.string)
        }
        let first = try await register()
        #expect(try await message { _ = try await register() }.hasPrefix("ResourceInUseException"))
        let described = try await service.call("DescribeStreamConsumer", #"{"ConsumerARN":"\#(first)"}"#)
        #expect(described["ConsumerDescription"]?["ConsumerStatus"]?.string == "ACTIVE")
        #expect(
            try await service.call("ListTagsForResource", #"{"ResourceARN":"\#(first)"}"#)["Tags"]?.array?.count == 1
        )
        #expect(try await summary(service)["ConsumerCount"]?.integer == 1)
        try await service.call("DeregisterStreamConsumer", #"{"StreamARN":"\#(arn)","ConsumerName":"c"}"#)
        #expect(
            try await message { try await service.call("DescribeStreamConsumer", #"{"ConsumerARN":"\#(first)"}"#) }
                .hasPrefix("ResourceNotFoundException")
        )
        #expect(try await register() != first)
    }

    @Test("consumers are listed in pages, and the token of one stream means nothing to another")
    func consumerPages() async throws {
        let service = try await service()
        try await service.call("CreateStream", #"{"StreamName":"t","ShardCount":1}"#)
        for name in ["x", "z", "y"] {
            try await service.call("RegisterStreamConsumer", #"{"StreamARN":"\#(arn)","ConsumerName":"\#(name)"}"#)
        }
        let page = try await service.call("ListStreamConsumers", #"{"StreamARN":"\#(arn)","MaxResults":2}"#)
        #expect(page["Consumers"]?.array?.map { $0["ConsumerName"]?.string } == ["x", "y"])
        let token = try #require(page["NextToken"]?.string)
        let rest = try await service.call("ListStreamConsumers", #"{"StreamARN":"\#(arn)","NextToken":"\#(token)"}"#)
        #expect(rest["Consumers"]?.array?.map { $0["ConsumerName"]?.string } == ["z"])
        #expect(rest["NextToken"] == nil)
        let other = arn.dropLast() + "t"
        #expect(
            try await message {
                try await service.call("ListStreamConsumers", #"{"StreamARN":"\#(other)","NextToken":"\#(token)"}"#)
            }.hasPrefix("InvalidArgumentException")
        )
        service.time.advance(300_001)
        #expect(
            try await message {
                try await service.call("ListStreamConsumers", #"{"StreamARN":"\#(arn)","NextToken":"\#(token)"}"#)
            }.hasPrefix("ExpiredNextTokenException")
        )
    }

    @Test("a stream with consumers is deleted only when that is asked for")
    func deleteWithConsumers() async throws {
        let service = try await service()
        try await service.call("RegisterStreamConsumer", #"{"StreamARN":"\#(arn)","ConsumerName":"c"}"#)
        #expect(
            try await message { try await service.call("DeleteStream", #"{"StreamName":"s"}"#) }
                .hasPrefix("ResourceInUseException")
        )
        try await service.call("DeleteStream", #"{"StreamName":"s","EnforceConsumerDeletion":true}"#)
        #expect(try await message { _ = try await summary(service) }.hasPrefix("ResourceNotFoundException"))
    }

    @Test("settings and consumers are there after a restart")
    func restart() async throws {
        let (log, state) = (MemoryShardLog(), MemoryStateStore())
        let before = try await Service(log: log, state: state)
        let document =
            #"{"Version": "2012-10-17", "Statement": [{"Effect":"Allow","Principal":"*","Action":"kinesis:GetRecords","Resource":"\#(arn)"}]}"#
        var json = JSONWriter()
        json.string(document)
        let quoted = String(decoding: json.bytes, as: UTF8.self)
        try await before.call(
            "CreateStream",
            #"{"StreamName":"s","Tags":{"a":"b"},"StreamModeDetails":{"StreamMode":"ON_DEMAND"}}"#
        )
        try await before.call("RegisterStreamConsumer", #"{"StreamARN":"\#(arn)","ConsumerName":"c"}"#)
        try await before.call("PutResourcePolicy", #"{"ResourceARN":"\#(arn)","Policy":\#(quoted)}"#)
        try await before.call(
            "StartStreamEncryption",
            #"{"StreamName":"s","EncryptionType":"KMS","KeyId":"alias/aws/kinesis"}"#
        )
        let after = try await Service(log: log, state: state)
        let summary = try await summary(after)
        #expect(summary["StreamModeDetails"]?["StreamMode"]?.string == "ON_DEMAND")
        #expect(summary["OpenShardCount"]?.integer == 4)
        #expect(summary["ConsumerCount"]?.integer == 1)
        #expect(summary["EncryptionType"]?.string == "KMS")
        #expect(summary["KeyId"]?.string == "alias/aws/kinesis")
        #expect(try await after.call("ListTagsForStream", #"{"StreamName":"s"}"#)["Tags"]?.array?.count == 1)
        let policy = try await after.call("GetResourcePolicy", #"{"ResourceARN":"\#(arn)"}"#)
        #expect(policy["Policy"]?.string == document)
    }

    @Test("shards are split and merged towards the count asked for, and every record is read on in order")
    func shardCount() async throws {
        let service = try await service()
        var sent: [String: [String]] = [:]
        for (round, count) in [3, 6, 5, 3, 2, 1].enumerated() {
            for key in ["a", "b", "c", "d", "e"] {
                _ = try await service.put("s", [(key, "\(key)\(round)")])
                sent[key, default: []].append("\(key)\(round)")
            }
            let answer = try await service.call(
                "UpdateShardCount",
                #"{"StreamName":"s","TargetShardCount":\#(count),"ScalingType":"UNIFORM_SCALING"}"#
            )
            #expect(answer["TargetShardCount"]?.integer == Int64(count))
            #expect(try await summary(service)["OpenShardCount"]?.integer == Int64(count))
        }
        var read: [String: [String]] = [:]
        for shard in try await service.shards("s") {
            let id = try #require(shard["ShardId"]?.string)
            let (records, end) = try await service.read(try await service.iterator("s", id, "TRIM_HORIZON"))
            let isClosed = shard["SequenceNumberRange"]?["EndingSequenceNumber"] != nil
            #expect((end["ChildShards"]?.array?.isEmpty == false) == isClosed, "\(id)")
            for record in records {
                let key = try #require(record["PartitionKey"]?.string)
                let data = try #require(record["Data"]?.string.flatMap { Base64.decode($0) })
                read[key, default: []].append(String(decoding: data, as: UTF8.self))
            }
        }
        #expect(read == sent)
    }

    @Test("a warm throughput opens a shard for each MiB/s of it")
    func warmThroughput() async throws {
        let service = try await service(Collector.Configuration(limits: .aws))
        try await service.call("UpdateAccountSettings", #"{"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}}"#)
        try await service.call(
            "UpdateStreamMode",
            #"{"StreamARN":"\#(arn)","StreamModeDetails":{"StreamMode":"ON_DEMAND"}}"#
        )
        #expect(try await summary(service)["OpenShardCount"]?.integer == 2)
        let answer = try await service.call(
            "UpdateStreamWarmThroughput",
            #"{"StreamName":"s","WarmThroughputMiBps":9}"#
        )
        #expect(answer["WarmThroughput"]?["TargetMiBps"]?.integer == 9)
        #expect(try await summary(service)["OpenShardCount"]?.integer == 9)
        #expect(try await summary(service)["StreamStatus"]?.string == "ACTIVE")
    }

    @Test("with AWS's quotas a count is at most doubled or halved, ten times a day")
    func shardCountQuota() async throws {
        let service = try await service(Collector.Configuration(limits: .aws))
        func update(_ count: Int) async throws -> String {
            try await message {
                try await service.call(
                    "UpdateShardCount",
                    #"{"StreamName":"s","TargetShardCount":\#(count),"ScalingType":"UNIFORM_SCALING"}"#
                )
            }
        }
        #expect(try await update(5).contains("cannot scale up over double"))
        for count in [3, 2, 3, 2, 3, 2, 3, 2, 3, 4] { #expect(try await update(count) == "accepted") }
        #expect(try await update(1).contains("cannot scale down below half"))
        #expect(try await update(5).hasPrefix("LimitExceededException"))
        service.time.advance(86_400_001)
        #expect(try await update(5) == "accepted")
    }
}

@Suite("states of a stream")
struct StateTests {
    @Test("a stream is CREATING, UPDATING and DELETING for the configured time, and its shards follow")
    func states() async throws {
        let service = try await Service(configuration: Collector.Configuration(transition: .milliseconds(150)))
        func status() async throws -> String {
            do {
                let answer = try await service.call("DescribeStream", #"{"StreamName":"s"}"#)
                let description = try #require(answer["StreamDescription"])
                return "\(description["StreamStatus"]?.string ?? "") \(description["Shards"]?.array?.count ?? -1)"
            } catch let error as AWSError {
                return error.code
            }
        }
        func becomes(_ wanted: String) async throws -> Bool {
            for _ in 0..<500 {
                if try await status() == wanted { return true }
                try await Task.sleep(for: .milliseconds(10))
            }
            return false
        }
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        #expect(try await status() == "CREATING 0")
        await #expect(throws: AWSError.notFound("")) { try await service.put("s", [("k", "too early")]) }
        #expect(try await becomes("ACTIVE 1"))
        try await service.call("SplitShard", #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"1000"}"#)
        #expect(try await status() == "UPDATING 1")
        _ = try await service.put("s", [("k", "while it is updating")])
        await #expect(throws: AWSError.inUse("")) {
            try await service.call("MergeShards", #"{"StreamName":"s","ShardToMerge":"1","AdjacentShardToMerge":"2"}"#)
        }
        #expect(try await becomes("ACTIVE 3"))
        try await service.call("DeleteStream", #"{"StreamName":"s"}"#)
        #expect(try await status() == "DELETING 3")
        await #expect(throws: AWSError.inUse("")) {
            try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        }
        #expect(try await becomes("ResourceNotFoundException"))
    }

    @Test("what a stop interrupted is finished at the next start")
    func restart() async throws {
        let (log, state) = (MemoryShardLog(), MemoryStateStore())
        // Nothing is ever carried out by the first one.
        let slow = Collector.Configuration(transition: .seconds(3600))
        let first = try await Service(log: log, state: state, configuration: slow)
        try await first.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let second = try await Service(log: log, state: state, configuration: slow)
        _ = try await second.put("s", [("k", "v")])
        try await second.call("SplitShard", #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"1000"}"#)
        let third = try await Service(log: log, state: state, configuration: slow)
        #expect(try await third.shards("s").count == 3)
        try await third.call("DeleteStream", #"{"StreamName":"s"}"#)
        let fourth = try await Service(log: log, state: state)
        await #expect(throws: AWSError.notFound("")) { try await fourth.shards("s") }
    }
}
