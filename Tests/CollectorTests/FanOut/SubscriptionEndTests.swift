import AWSProtocol
import ShardLog
import StreamModel
import Testing

@testable import Collector

/// Who may subscribe, and what ends a subscription.
@Suite("the end of a subscription", .timeLimit(.minutes(1)))
struct SubscriptionEndTests {
    private static let half = "170141183460469231731687303715884105728"

    @Test("of a split shard is an event with both children and no number, then a clean close")
    func split() async throws {
        let service = try await Service()
        let reader = try await service.begin(try await service.consumer())
        _ = try await reader.event()
        _ = try await service.put("s", [("k", "a")])
        #expect(try await reader.event().data == ["a"])
        async let last = reader.records()
        try await service.call(
            "SplitShard",
            #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"\#(Self.half)"}"#
        )
        let end = try await last
        #expect(end.continuation == nil && end.behind == 0)
        let children = try #require(end.children)
        #expect(children.compactMap { $0["ShardId"]?.string } == ["shardId-000000000001", "shardId-000000000002"])
        for child in children {
            #expect(child["ParentShards"]?.array?.compactMap(\.string) == ["shardId-000000000000"])
        }
        #expect(children[1]["HashKeyRange"]?["StartingHashKey"]?.string == Self.half)
        #expect(try await reader.next() == nil)
    }

    @Test("of two merged shards names the one child with both parents, also to who comes later")
    func merge() async throws {
        let service = try await Service(configuration: .quick())
        let consumer = try await service.consumer(shards: 2)
        _ = try await service.put("s", (0..<20).map { ("k\($0)", "\($0)") })
        try await service.call("MergeShards", #"{"StreamName":"s","ShardToMerge":"0","AdjacentShardToMerge":"1"}"#)
        var seen: [String] = []
        for shard in 0..<2 {
            for type in ["TRIM_HORIZON", "LATEST"] {
                let reader = try await service.begin(consumer, shard, type)
                var event = try await reader.event()
                while event.continuation != nil {
                    seen += event.data
                    event = try await reader.event()
                }
                seen += event.data
                let child = try #require(event.children?.first)
                #expect(event.children?.count == 1 && child["ShardId"]?.string == "shardId-000000000002")
                #expect(child["ParentShards"]?.array?.count == 2)
                #expect(try await reader.next() == nil)
            }
        }
        #expect(seen.sorted() == (0..<20).map(String.init).sorted())
    }

    @Test("does not come before the catalog has the children, though the parent's log is sealed")
    func sealedBeforeChildren() async throws {
        let log = MemoryShardLog()
        let service = try await Service(log: log, configuration: .quick())
        let consumer = try await service.consumer()
        let stream = try #require(service.collector.streams.withLock { $0.values.first })
        let reader = try await service.begin(consumer, 0, "TRIM_HORIZON")
        try await log.openAppender(stream.ref(ShardID(0)), expecting: nil).close()
        for _ in 0..<5 {
            let event = try await reader.event()
            #expect(event.continuation != nil && event.children == nil)
        }
        try await service.call(
            "SplitShard",
            #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"\#(Self.half)"}"#
        )
        #expect(try await reader.records().children?.count == 2)
    }

    @Test("is not brought about by a second call within five seconds; after them the second takes over")
    func takeover() async throws {
        let service = try await Service()
        let consumer = try await service.consumer()
        let first = try await service.begin(consumer)
        _ = try await first.event()
        service.time.advance(4999)
        await #expect(throws: AWSError.inUse("")) { _ = try await service.subscribe(consumer) }
        await #expect(throws: AWSError.inUse("")) {
            _ = try await service.subscribe(consumer, 0, "LATEST", more: #","DryRun":true"#)
        }
        async let end = first.next()
        service.time.advance(1)
        let second = try await service.begin(consumer)
        #expect(
            try await end
                == .exception(
                    "ResourceInUseException",
                    message:
                        "Another active subscription exists for this consumer: 000000000000:s:shardId-000000000000:c"
                )
        )
        #expect(try await first.next() == nil)
        // The one that was thrown out gives nothing back that is the other's.
        await first.close()
        await #expect(throws: AWSError.inUse("")) { _ = try await service.subscribe(consumer) }
        _ = try await second.event()
        _ = try await service.put("s", [("k", "a")])
        #expect(try await second.records().data == ["a"])
    }

    @Test("leaves the place free: other consumers, other shards and later calls have their own")
    func places() async throws {
        let service = try await Service()
        let consumer = try await service.consumer(shards: 2)
        let other = try await service.consumer("d", shards: nil)
        let first = try await service.begin(consumer)
        for (name, shard) in [(consumer, 1), (other, 0), (other, 1)] { _ = try await service.begin(name, shard) }
        await #expect(throws: AWSError.inUse("")) { _ = try await service.subscribe(consumer) }
        await first.close()
        #expect(try await first.next() == nil)
        _ = try await service.begin(consumer)
    }

    @Test("comes when its consumer is deregistered")
    func deregister() async throws {
        let service = try await Service()
        let consumer = try await service.consumer()
        let reader = try await service.begin(consumer)
        let other = try await service.begin(try await service.consumer("d", shards: nil))
        _ = try await reader.event()
        _ = try await other.event()
        async let end = reader.next()
        try await service.call("DeregisterStreamConsumer", #"{"ConsumerARN":"\#(consumer)"}"#)
        #expect(
            try await end
                == .exception(
                    "ResourceNotFoundException",
                    message: "Consumer c under stream s under account 000000000000 not found."
                )
        )
        #expect(try await reader.next() == nil)
        // Registered anew it is another consumer, and the other one has not noticed.
        let again = try await service.consumer(shards: nil)
        #expect(again != consumer)
        await #expect(throws: AWSError.notFound("")) { _ = try await service.subscribe(consumer) }
        _ = try await service.begin(again)
        _ = try await service.put("s", [("k", "a")])
        #expect(try await other.records().data == ["a"])
    }

    @Test("comes when its stream is deleted")
    func delete() async throws {
        let service = try await Service()
        let reader = try await service.begin(try await service.consumer())
        _ = try await reader.event()
        async let end = reader.next()
        try await service.call("DeleteStream", #"{"StreamName":"s","EnforceConsumerDeletion":true}"#)
        #expect(
            try await end
                == .exception(
                    "ResourceNotFoundException",
                    message: "Stream s under account 000000000000 not found."
                )
        )
        #expect(try await reader.next() == nil)
    }

    @Test("comes at once when its reader goes, or its task is cancelled")
    func gone() async throws {
        let service = try await Service()
        let consumer = try await service.consumer()
        for isCancelled in [false, true] {
            let reader = try await service.begin(consumer)
            _ = try await reader.event()
            let waiting = Task { try await reader.next() }
            try await Task.sleep(for: .milliseconds(20))
            if isCancelled { waiting.cancel() } else { await reader.close() }
            #expect(try await waiting.value == nil)
        }
        #expect(try #require(service.collector.streams.withLock { $0.values.first }).subscriptions.count == 0)
    }

    @Test("is the server's failure when what is stored can't be read, behind all that can")
    func damage() async throws {
        let log = MemoryShardLog()
        let service = try await Service(log: log)
        let consumer = try await service.consumer()
        _ = try await service.put("s", [("k", "a")])
        let stream = try #require(service.collector.streams.withLock { $0.values.first })
        let appender = try log.openAppender(stream.ref(ShardID(0)), expecting: nil)
        await withCheckedContinuation { continuation in
            appender.append([AppendFrame(bytes: FrameBytes([1, 2, 3]), arrivalMilliseconds: 1_795_000_000_001)]) { _ in
                continuation.resume()
            }
        }
        let reader = try await service.begin(consumer, 0, "TRIM_HORIZON")
        #expect(try await reader.event().data == ["a"])
        guard case .exception("InternalFailureException", _)? = try await reader.next() else {
            Issue.record("no failure")
            return
        }
        #expect(try await reader.next() == nil)
    }

    @Test("is no end when it never begins: AWS's refusals")
    func refusals() async throws {
        let service = try await Service(configuration: .quick())
        let consumer = try await service.consumer(shards: 2)
        let put = try await service.put("s", [("k", "a")])
        let number = try #require(put["Records"]?.array?[0]["SequenceNumber"]?.string)
        let shard = put["Records"]?.array?[0]["ShardId"]?.string == "shardId-000000000000" ? 0 : 1
        func refusal(_ consumer: String, _ shard: Int, _ type: String, _ more: String = "") async -> AWSError? {
            do {
                _ = try await service.subscribe(consumer, shard, type, more)
                return nil
            } catch {
                return error as? AWSError
            }
        }
        #expect(await refusal(consumer, 5, "LATEST") == .notFound(""))
        #expect(await refusal(consumer.replacing("stream/s", with: "stream/t"), 0, "LATEST") == .notFound(""))
        #expect(await refusal(consumer.replacing("consumer/c", with: "consumer/d"), 0, "LATEST") == .notFound(""))
        #expect(await refusal(consumer, 0, "NEVER") == .validation(""))
        #expect(await refusal(consumer, 0, "AT_SEQUENCE_NUMBER") == .invalidArgument(""))
        #expect(await refusal(consumer, 0, "AT_TIMESTAMP") == .invalidArgument(""))
        #expect(await refusal(consumer, 0, "AT_TIMESTAMP", #","Timestamp":1895000000"#) == .invalidArgument(""))
        let foreign = await refusal(consumer, 1 - shard, "AT_SEQUENCE_NUMBER", #","SequenceNumber":"\#(number)""#)
        #expect(foreign == .invalidArgument(""))
        #expect(foreign?.message.hasPrefix("Invalid StartingSequenceNumber. It encodes") == true)
        let dry = await refusal(consumer, 0, "LATEST")
        #expect(dry == nil)
        await #expect(throws: AWSError("DryRunOperationException", "")) {
            _ = try await service.subscribe(consumer, 0, "LATEST", more: #","DryRun":true"#)
        }
    }

    @Test("is no end when it never begins: a consumer that is not ACTIVE yet")
    func creating() async throws {
        let configuration = Collector.Configuration(transition: .milliseconds(50))
        let service = try await Service(configuration: configuration)
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        try await Task.sleep(for: .milliseconds(200))
        let consumer = try await service.consumer(shards: nil)
        let created = try #require(consumer.split(separator: ":").last)
        do {
            _ = try await service.subscribe(consumer)
            Issue.record("it began")
        } catch let error as AWSError {
            #expect(error == .inUse(""))
            #expect(
                error.message
                    == "Consumer c with creation timestamp \(created) under stream: s, account 000000000000 is "
                    + "not in ACTIVE status."
            )
        }
    }
}
