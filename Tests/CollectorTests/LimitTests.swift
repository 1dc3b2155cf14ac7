import AWSProtocol
import StreamModel
import Testing

@testable import Collector

@Suite("limits")
struct LimitTests {
    private func service(_ change: (inout ServiceLimits) -> Void = { _ in }, transition: Duration = .zero) async throws
        -> Service
    {
        var limits = ServiceLimits.aws
        change(&limits)
        let service = try await Service(
            configuration: Collector.Configuration(transition: transition, limits: limits)
        )
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        return service
    }

    private func records(_ numbers: Range<Int>, bytes: Int = 10) -> [(key: String, data: String)] {
        numbers.map { ("k", "\($0) " + String(repeating: "x", count: bytes)) }
    }

    /// The refusal of a call; fails when there is none.
    private func refusal(_ service: Service, _ operation: String, _ json: String) async throws -> AWSError {
        do {
            try await service.call(operation, json)
        } catch let error as AWSError {
            return error
        }
        throw AWSError("none", "\(operation) was not refused")
    }

    private let words = "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."

    @Test("of a batch the first records that fit are stored, the rest is refused one by one, and a retry goes in later")
    func batch() async throws {
        let service = try await service()
        _ = try await service.put("s", records(0..<500))
        _ = try await service.put("s", records(500..<800))
        let answer = try await service.put("s", records(800..<1300))
        #expect(answer["FailedRecordCount"]?.integer == 300)
        for (index, entry) in (answer["Records"]?.array ?? []).enumerated() {
            if index < 200 {
                #expect(entry["SequenceNumber"] != nil && entry["ErrorCode"] == nil)
            } else {
                #expect(entry["ErrorCode"]?.string == "ProvisionedThroughputExceededException")
                #expect(entry["ErrorMessage"]?.string == words)
                #expect(entry["ShardId"] == nil && entry["SequenceNumber"] == nil)
            }
        }
        service.time.advance(300)
        #expect(try await service.put("s", records(1000..<1300))["FailedRecordCount"]?.integer == 0)
        let stored = try #require(try await service.contents("s")["shardId-000000000000"])
        #expect(stored.compactMap { $0.split(separator: " ").first.flatMap { Int($0) } } == Array(0..<1300))
    }

    @Test("PutRecord beyond 1 MiB a second is refused, with the key counted")
    func single() async throws {
        let service = try await service()
        let data = Base64.encode(Array(repeating: 1, count: (1 << 20) - 10))
        let put = #"{"StreamName":"s","PartitionKey":"0123456789","Data":"\#(data)"}"#
        try await service.call("PutRecord", put)
        let small = #"{"StreamName":"s","PartitionKey":"k","Data":""}"#
        let error = try await refusal(service, "PutRecord", small)
        #expect(error.code == "ProvisionedThroughputExceededException" && error.message == words && error.status == 400)
        service.time.advance(1)
        try await service.call("PutRecord", small)
    }

    @Test("a hot shard does not hold up the others")
    func independent() async throws {
        let service = try await service()
        try await service.call("CreateStream", #"{"StreamName":"two","ShardCount":2}"#)
        // MD5 of "a" lies in the lower half, that of "b" in the upper one.
        for _ in 0..<2 { _ = try await service.put("two", (0..<500).map { _ in ("a", "x") }) }
        let answer = try await service.put("two", (0..<500).map { ($0 % 2 == 0 ? "a" : "b", "\($0)") })
        #expect(answer["FailedRecordCount"]?.integer == 250)
        let entries = answer["Records"]?.array ?? []
        #expect(entries.indices.allSatisfy { (entries[$0]["ErrorCode"] == nil) == ($0 % 2 == 1) })
    }

    @Test("a throttled producer's records arrive once and in order, whatever it sends again", arguments: 1...4)
    func producer(seed: Int) async throws {
        var random = SplitMix(state: UInt64(seed))
        let service = try await service()
        try await service.call("CreateStream", #"{"StreamName":"p","ShardCount":2}"#)
        let all = (0..<3000).map { (key: $0 % 3 == 0 ? "a" : "b", data: "\($0)") }
        var pending = Array(all.indices)
        var tries = 0
        while !pending.isEmpty {
            tries += 1
            let sent = Array(pending.prefix(1 + Int(random.next() % 1500)))
            var stretches: [(first: Int, count: Int)] = []
            for index in sent {
                if let last = stretches.last, last.first + last.count == index {
                    stretches[stretches.count - 1].count += 1
                } else {
                    stretches.append((index, 1))
                }
            }
            let header = stretches.map { "0000000000000007:\($0.first)+\($0.count)" }.joined(separator: ";")
            let answer = try await service.put("p", sent.map { all[$0] }, producer: header)
            // Now and then the answer gets lost.
            if random.next() % 4 > 0 {
                let failed = zip(sent, answer["Records"]?.array ?? []).filter { $0.1["ErrorCode"] != nil }.map(\.0)
                pending = failed + pending.dropFirst(sent.count)
            }
            service.time.advance(Int64(random.next() % 400))
            if tries == 7 {
                try await service.call(
                    "SplitShard",
                    #"{"StreamName":"p","ShardToSplit":"shardId-000000000001","NewStartingHashKey":"200000000000000000000000000000000000000"}"#
                )
            }
            try #require(tries < 1000, "seed \(seed)")
        }
        service.time.advance(60_000)
        var found: [String: [Int]] = [:]
        for shard in try await service.shards("p") {
            service.time.advance(60_000)
            let id = try #require(shard["ShardId"]?.string)
            for record in try await service.read(try await service.iterator("p", id, "TRIM_HORIZON"), limit: 10_000)
                .records
            {
                found[record["PartitionKey"]?.string ?? "", default: []].append(Int(service.data(record)) ?? -1)
            }
        }
        #expect(found["a"] == all.indices.filter { $0 % 3 == 0 }, "seed \(seed)")
        #expect(found["b"] == all.indices.filter { $0 % 3 != 0 }, "seed \(seed)")
    }

    @Test("a producer's first request takes what its shard allows, though the shard must be opened for it")
    func firstRequest() async throws {
        let service = try await service { $0.shard.writeRecords = Rate(perSecond: 3) }
        let answer = try await service.put("s", records(0..<5), producer: "1:0+5")
        #expect(answer["FailedRecordCount"]?.integer == 2)
        #expect(answer["Records"]?.array?.map { $0["ErrorCode"] == nil } == [true, true, true, false, false])
    }

    @Test("the sixth GetRecords of a second, and any behind 10 MiB for five seconds, is refused")
    func reads() async throws {
        let service = try await service { $0.shard.writeBytes = Rate(perSecond: 100 << 20) }
        let at = try await service.iterator("s", "shardId-000000000000", "TRIM_HORIZON")
        for _ in 0..<5 { try await service.call("GetRecords", #"{"ShardIterator":"\#(at)"}"#) }
        let error = try await refusal(service, "GetRecords", #"{"ShardIterator":"\#(at)"}"#)
        #expect(error.code == "ProvisionedThroughputExceededException" && error.message == words)

        for _ in 0..<11 { _ = try await service.put("s", [("k", String(repeating: "x", count: 1_000_000))]) }
        service.time.advance(1000)
        let page = try await service.call("GetRecords", #"{"ShardIterator":"\#(at)"}"#)
        #expect(page["Records"]?.array?.count == 10)
        let next = try #require(page["NextShardIterator"]?.string)
        service.time.advance(4700)
        _ = try await refusal(service, "GetRecords", #"{"ShardIterator":"\#(next)"}"#)
        service.time.advance(300)
        try await service.call("GetRecords", #"{"ShardIterator":"\#(next)"}"#)
    }

    @Test("shard iterators are given five a second, after a burst")
    func iterators() async throws {
        let service = try await service()
        var given = 0
        while (try? await service.iterator("s", "shardId-000000000000", "LATEST")) != nil { given += 1 }
        #expect(given == 10)
        service.time.advance(200)
        _ = try await service.iterator("s", "shardId-000000000000", "LATEST")
    }

    @Test("control calls beyond their rate are refused; invalid ones cost nothing, and other operations go on")
    func control() async throws {
        let service = try await service { $0.controlBurstSeconds = 1 }
        for _ in 0..<50 { _ = try await refusal(service, "DescribeStream", #"{"StreamName":"?"}"#) }
        for _ in 0..<10 { try await service.call("DescribeStream", #"{"StreamName":"s"}"#) }
        let error = try await refusal(service, "DescribeStream", #"{"StreamName":"s"}"#)
        #expect(error.code == "LimitExceededException")
        #expect(error.message == "Rate exceeded for stream s under account 000000000000.")
        try await service.call("DescribeStreamSummary", #"{"StreamName":"s"}"#)
        try await service.call("DescribeLimits", "{}")
        #expect(try await refusal(service, "DescribeLimits", "{}").message == "Rate exceeded for account 000000000000.")
        service.time.advance(1000)
        try await service.call("DescribeLimits", "{}")
    }

    @Test("calls that count per stream count for each stream alone, however it is named")
    func perStream() async throws {
        let service = try await service {
            $0.controlBurstSeconds = 1
            $0.callsPerSecond["ListShards"] = 2
        }
        try await service.call("CreateStream", #"{"StreamName":"t","ShardCount":1}"#)
        let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/s"
        try await service.call("ListShards", #"{"StreamName":"s"}"#)
        try await service.call("ListShards", #"{"StreamARN":"\#(arn)"}"#)
        #expect(try await refusal(service, "ListShards", #"{"StreamName":"s"}"#).code == "LimitExceededException")
        try await service.call("ListShards", #"{"StreamName":"t"}"#)
    }

    @Test("the account's shards, on-demand streams and streams in creation are limited")
    func quotas() async throws {
        let service = try await service {
            $0.shardsPerAccount = 10
            $0.onDemandStreams = 1
        }
        try await service.call("CreateStream", #"{"StreamName":"t","ShardCount":8}"#)
        let error = try await refusal(service, "CreateStream", #"{"StreamName":"u","ShardCount":2}"#)
        #expect(error.code == "LimitExceededException")
        #expect(
            error.message
                == "This request would exceed the shard limit for the account 000000000000 in eu-west-1. Current shard "
                + "count for the account: 9. Limit: 10. Number of additional shards that would have resulted from this "
                + "request: 2. Refer to the AWS Service Limits page "
                + "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to "
                + "request higher limits."
        )
        let scale = #"{"StreamName":"t","TargetShardCount":10,"ScalingType":"UNIFORM_SCALING"}"#
        #expect(try await refusal(service, "UpdateShardCount", scale).message.contains("additional shards"))
        let split = #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"1000"}"#
        try await service.call("SplitShard", split)
        let again = #"{"StreamName":"s","ShardToSplit":"1","NewStartingHashKey":"100"}"#
        #expect(try await refusal(service, "SplitShard", again).message.contains("request: 1."))

        // On-demand streams have a limit of their own, and their shards don't count.
        let mode = #""StreamModeDetails":{"StreamMode":"ON_DEMAND"}"#
        try await service.call("CreateStream", #"{"StreamName":"o",\#(mode)}"#)
        #expect(
            try await refusal(service, "CreateStream", #"{"StreamName":"q",\#(mode)}"#).code == "LimitExceededException"
        )
        let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/"
        #expect(
            try await refusal(service, "UpdateStreamMode", #"{"StreamARN":"\#(arn)s",\#(mode)}"#).code
                == "LimitExceededException"
        )
        let back = #""StreamModeDetails":{"StreamMode":"PROVISIONED"}"#
        #expect(
            try await refusal(service, "UpdateStreamMode", #"{"StreamARN":"\#(arn)o",\#(back)}"#).message
                .contains("additional shards")
        )
    }

    @Test("a sixth stream must wait until one of five is ready")
    func creating() async throws {
        let service = try await service(transition: .milliseconds(300))
        for index in 0..<4 { try await service.call("CreateStream", #"{"StreamName":"c\#(index)","ShardCount":1}"#) }
        let error = try await refusal(service, "CreateStream", #"{"StreamName":"one-more","ShardCount":1}"#)
        #expect(error.code == "LimitExceededException" && error.message.contains("CREATING"))
    }

    @Test("a direct-put delivery stream has Firehose's limits and words")
    func delivery() async throws {
        let service = try await service { $0.delivery.writeRecords = Rate(perSecond: 3) }
        _ = try await service.collector.createHidden("!d", region: "eu-west-1", shards: 1)
        let list = Array(repeating: #"{"Data":"eA=="}"#, count: 5).joined(separator: ",")
        let request = APIRequest(
            operation: "PutRecordBatch",
            region: "eu-west-1",
            body: Array(#"{"DeliveryStreamName":"d","Records":[\#(list)]}"#.utf8)
        )
        let answer = try JSONValue(parsing: try await service.collector.firehosePut(request) { _ in "!d" })
        #expect(answer["FailedPutCount"]?.integer == 2)
        let last = answer["RequestResponses"]?.array?.last
        #expect(last?["ErrorCode"]?.string == "ServiceUnavailableException")
        #expect(last?["ErrorMessage"]?.string == "Slow down.")
    }

    @Test("throttles are counted where CloudWatch counts them")
    func metrics() async throws {
        let service = try await service()
        try await service.call("EnableEnhancedMonitoring", #"{"StreamName":"s","ShardLevelMetrics":["ALL"]}"#)
        for start in [0, 500, 1000] { _ = try await service.put("s", records(start..<start + 500, bytes: 8)) }
        let at = try await service.iterator("s", "shardId-000000000000", "TRIM_HORIZON")
        service.time.advance(2500)
        for _ in 0..<5 { try await service.call("GetRecords", #"{"ShardIterator":"\#(at)","Limit":10}"#) }
        _ = try await refusal(service, "GetRecords", #"{"ShardIterator":"\#(at)"}"#)
        let text = service.collector.metrics()
        let stream = #"stream="s",region="eu-west-1""#
        let bytes = (0..<1000).map { "\($0) ".utf8.count + 8 + 1 }.reduce(0, +)
        for line in [
            "kinesis_incoming_records_total{\(stream)} 1000",
            "kinesis_incoming_bytes_total{\(stream)} \(bytes)",
            "kinesis_put_records_total_records_total{\(stream)} 1500",
            "kinesis_put_records_successful_records_total{\(stream)} 1000",
            "kinesis_put_records_throttled_records_total{\(stream)} 500",
            "kinesis_put_records_failed_records_total{\(stream)} 0",
            "kinesis_put_records_success_total{\(stream)} 2",
            "kinesis_put_records_latency_milliseconds_count{\(stream)} 3",
            "kinesis_write_provisioned_throughput_exceeded_total{\(stream)} 500",
            "kinesis_read_provisioned_throughput_exceeded_total{\(stream)} 1",
            "kinesis_get_records_records_total{\(stream)} 50",
            "kinesis_get_records_success_total{\(stream)} 5",
            "kinesis_get_records_latency_milliseconds_bucket{\(stream),le=\"+Inf\"} 6",
            "kinesis_get_records_iterator_age_milliseconds_max{\(stream)} 2500",
            "kinesis_shard_incoming_records_total{\(stream),shard=\"shardId-000000000000\"} 1000",
            "kinesis_shard_outgoing_records_total{\(stream),shard=\"shardId-000000000000\"} 50",
            "kinesis_shard_write_provisioned_throughput_exceeded_total{\(stream),shard=\"shardId-000000000000\"} 500",
            "kinesis_shard_read_provisioned_throughput_exceeded_total{\(stream),shard=\"shardId-000000000000\"} 1",
            "kinesis_shard_iterator_age_milliseconds_max{\(stream),shard=\"shardId-000000000000\"} 2500",
            "millrace_records_stored_total{\(stream)} 1000", "millrace_records_throttled_total{\(stream)} 500",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
        // Every series is typed once, before its samples.
        let types = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(Set(types).count == types.count && types.count > 40)
    }
}
