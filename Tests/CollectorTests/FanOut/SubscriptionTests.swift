import AWSProtocol
import ShardLog
import StreamModel
import Testing

@testable import Collector

@Suite("a subscription", .timeLimit(.minutes(1)))
struct SubscriptionTests {
    @Test("begins with an initial response and an event that says where to go on, records or not")
    func begins() async throws {
        let service = try await Service()
        let reader = try await service.begin(try await service.consumer())
        let first = try await reader.event()
        #expect(first.data == [] && first.behind == 0)
        #expect(SequenceNumber(decimal: try #require(first.continuation)) != nil)
    }

    @Test("is pushed each record as soon as it is stored, as GetRecords shows it")
    func pushes() async throws {
        let service = try await Service()
        // Nothing but the push itself can be so quick: the next sign of life comes after 4.5 s.
        let reader = try await service.begin(try await service.consumer())
        _ = try await reader.event()
        for round in 0..<5 {
            async let event = reader.event()
            let put = try await service.put("s", [("key", "a\(round)"), (#"k\"ey"#, "b\(round)")])
            let pushed = try await event
            #expect(pushed.data == ["a\(round)", "b\(round)"] && pushed.keys == ["key", "k\"ey"])
            #expect(pushed.numbers == put["Records"]?.array?.compactMap { $0["SequenceNumber"]?.string })
            #expect(pushed.arrivals == [1_795_000_000, 1_795_000_000] && pushed.behind == 0)
        }
    }

    @Test("starts where its position says")
    func positions() async throws {
        let service = try await Service(configuration: .quick())
        let consumer = try await service.consumer()
        let put = try await service.put("s", [("k", "a"), ("k", "b"), ("k", "c")])
        let number = try #require(put["Records"]?.array?[1]["SequenceNumber"]?.string)
        let start = try #require(
            try await service.shards("s")[0]["SequenceNumberRange"]?["StartingSequenceNumber"]?.string
        )
        service.time.advance(5000)
        _ = try await service.put("s", [("k", "d")])
        func from(_ type: String, _ position: String = "") async throws -> [String] {
            let reader = try await service.begin(consumer, 0, type, position)
            async let later = service.put("s", [("k", "end")])
            var data: [String] = []
            while data.last != "end" { data += try await reader.records().data }
            _ = try await later
            // Every look leaves one behind.
            return data.filter { $0 != "end" }
        }
        #expect(try await from("TRIM_HORIZON") == ["a", "b", "c", "d"])
        #expect(try await from("AT_SEQUENCE_NUMBER", #","SequenceNumber":"\#(number)""#) == ["b", "c", "d"])
        #expect(try await from("AFTER_SEQUENCE_NUMBER", #","SequenceNumber":"\#(number)""#) == ["c", "d"])
        #expect(try await from("AT_SEQUENCE_NUMBER", #","SequenceNumber":"\#(start)""#) == ["a", "b", "c", "d"])
        #expect(try await from("AFTER_SEQUENCE_NUMBER", #","SequenceNumber":"\#(start)""#) == ["a", "b", "c", "d"])
        #expect(try await from("AT_TIMESTAMP", #","Timestamp":1795000000.001"#) == ["d"])
        #expect(try await from("AT_TIMESTAMP", #","Timestamp":1794000000"#) == ["a", "b", "c", "d"])
        #expect(try await from("LATEST") == [])
    }

    @Test("gives a sign of life at every heartbeat, whose number never goes back when the clock does")
    func heartbeats() async throws {
        let service = try await Service(configuration: .quick())
        _ = try await service.consumer()
        _ = try await service.put("s", [("k", "a")])
        let reader = try await service.begin(try await service.consumer("d", shards: nil), 0, "TRIM_HORIZON")
        var numbers = [try #require(try await reader.event().continuation.flatMap { SequenceNumber(decimal: $0) })]
        for round in 0..<6 {
            service.time.advance(round < 3 ? 2000 : -3000)
            let event = try await reader.event()
            #expect(event.data == [] && event.behind == 0)
            numbers.append(try #require(event.continuation.flatMap { SequenceNumber(decimal: $0) }))
        }
        #expect(numbers == numbers.sorted())
        #expect(numbers[0] < numbers[3], "it advances without records")
        _ = try await service.put("s", [("k", "b")])
        let next = try #require(SequenceNumber(decimal: try await reader.records().numbers[0]))
        #expect(numbers.allSatisfy { $0 < next })
    }

    @Test("no sign of life runs ahead of records that are handed out and perhaps not written")
    func heartbeatOrder() async throws {
        let service = try await Service(configuration: .quick())
        let consumer = try await service.consumer()
        let feed = try await service.feed(consumer)
        let first = await feed.next()
        #expect(feed.heartbeat?.piece() == nil, "the initial response may be on its way")
        let second = await feed.next()
        #expect(first != nil && second != nil && feed.heartbeat?.piece() == nil)
        async let records = feed.next()
        while feed.heartbeat?.piece() == nil { try await Task.sleep(for: .milliseconds(1)) }
        _ = try await service.put("s", [("k", "a")])
        #expect(await records != nil && feed.heartbeat?.piece() == nil)
        async let end = feed.next()
        while feed.heartbeat?.piece() == nil { try await Task.sleep(for: .milliseconds(1)) }
        feed.end()
        #expect(await end == nil && feed.heartbeat?.piece() == nil)
    }

    @Test("ends cleanly when its life is over")
    func life() async throws {
        let service = try await Service(configuration: .quick())
        let reader = try await service.begin(try await service.consumer())
        _ = try await reader.event()
        service.time.advance(299_999)
        _ = try await reader.event()
        service.time.advance(1)
        while let message = try await reader.next() { guard case .event = message else { break } }
        #expect(try await reader.next() == nil)
        #expect(try #require(service.collector.streams.withLock { $0.values.first }).subscriptions.count == 0)
    }

    @Test("in CBOR it gets CBOR")
    func cbor() async throws {
        let service = try await Service()
        let consumer = try await service.consumer()
        _ = try await service.put("s", [("k", "a")])
        var body: [UInt8] = []
        CBOR.append(
            .object([
                .init("ConsumerARN", .string(consumer)), .init("ShardId", .string("shardId-000000000000")),
                .init("StartingPosition", .object([.init("Type", .string("TRIM_HORIZON"))])),
            ]),
            to: &body
        )
        let request = APIRequest(operation: "SubscribeToShard", region: "eu-west-1", body: body, format: .cbor)
        guard case .events(let feed) = try await service.collector.kinesis(request) else {
            Issue.record("no event stream")
            return
        }
        let reader = EventReader(feed, format: .cbor)
        #expect(try await reader.next() == .initial)
        #expect(try await reader.event().data == ["a"])
    }

    @Test("has full events one behind the other when it lags, each within its limits")
    func lags() async throws {
        let service = try await Service()
        let consumer = try await service.consumer()
        let large = String(repeating: "x", count: 300_000)
        for round in 0..<5 { _ = try await service.put("s", (0..<3).map { ("k", "\(round).\($0)" + large) }) }
        service.time.advance(7000)
        let reader = try await service.begin(consumer, 0, "TRIM_HORIZON")
        var (sizes, last): ([Int], Int64) = ([], -1)
        while sizes.reduce(0, +) < 15 {
            let event = try await reader.event()
            sizes.append(event.data.count)
            #expect(event.behind == (sizes.reduce(0, +) < 15 ? 7000 : 0))
            last = event.behind
        }
        #expect(sizes.dropLast().allSatisfy { $0 == 3 } && last == 0, "\(sizes)")
    }

    @Test("has one record alone in an event when it is larger than an event's limit")
    func largeRecord() async throws {
        let service = try await Service()
        let consumer = try await service.consumer()
        try await service.call(
            "UpdateMaxRecordSize",
            #"{"StreamARN":"arn:aws:kinesis:eu-west-1:000000000000:stream/s","MaxRecordSizeInKiB":10240}"#
        )
        let large = String(repeating: "x", count: 10_485_760 - 1)
        _ = try await service.put("s", [("a", "first")])
        _ = try await service.put("s", [("k", large)])
        _ = try await service.put("s", [("z", "last")])
        let reader = try await service.begin(consumer, 0, "TRIM_HORIZON")
        #expect(try await reader.event().data == ["first"])
        #expect(try await reader.event().data == [large])
        #expect(try await reader.event().data == ["last"])
    }

    @Test("is paced at 2 MiB a second with AWS's limits, and gives signs of life meanwhile")
    func pace() async throws {
        let service = try await Service(configuration: .quick(limits: .aws))
        let consumer = try await service.consumer()
        let large = String(repeating: "x", count: 1_000_000)
        for round in 0..<4 {
            _ = try await service.put("s", [("k", "\(round)" + large)])
            service.time.advance(2000)
        }
        let reader = try await service.begin(consumer, 0, "TRIM_HORIZON")
        // A burst of a second's worth, paid back before the next record comes.
        for round in 0..<3 { #expect(try await reader.event().data.first?.first == "\(round)".first) }
        for _ in 0..<5 {
            let event = try await reader.event()
            #expect(event.data == [] && event.behind > 0)
        }
        service.time.advance(600)
        #expect(try await reader.records().data.first?.first == "3")
    }
}
