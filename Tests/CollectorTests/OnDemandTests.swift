import AWSProtocol
import StreamModel
import Testing

@testable import Collector

@Suite("on-demand streams")
struct OnDemandTests {
    private let mode = #""StreamModeDetails":{"StreamMode":"ON_DEMAND"}"#

    private func service() async throws -> Service {
        try await Service(configuration: Collector.Configuration(limits: .aws))
    }

    /// Seconds of traffic, each followed by a look: of each of `keys`, so many records of 1 KiB. Returns how many of each were
    /// stored before.
    private func run(
        _ service: Service,
        _ scalers: inout OnDemandScalers,
        seconds: Int,
        _ keys: [String],
        each count: Int,
        sent: inout [String: Int]
    ) async throws {
        for _ in 0..<seconds {
            for _ in 0..<10 {
                service.time.advance(100)
                var batch: [(key: String, data: String)] = []
                for key in keys {
                    for _ in 0..<count / 10 {
                        batch.append((key, "\(sent[key, default: 0]) " + String(repeating: "x", count: 1000)))
                        sent[key, default: 0] += 1
                    }
                }
                var next = batch
                while !next.isEmpty {
                    let part = Array(next.prefix(500))
                    let answer = try await service.put("s", part)
                    let failed = zip(part, answer["Records"]?.array ?? []).filter { $0.1["ErrorCode"] != nil }.map(\.0)
                    next = failed + next.dropFirst(500)
                    if !failed.isEmpty { service.time.advance(50) }
                }
            }
            await service.collector.scaleOnDemandStreams(&scalers)
        }
    }

    private func open(_ service: Service) async throws -> [JSONValue] {
        try await service.shards("s").filter { $0["SequenceNumberRange"]?["EndingSequenceNumber"] == nil }
    }

    /// A hash key's place, for partition keys that fall anywhere.
    private let keys = (0..<40).map { "key-\($0)" }

    @Test("a hot stream splits within seconds, stays ACTIVE, and each key's records stay whole and in order")
    func splits() async throws {
        let service = try await service()
        try await service.call("CreateStream", #"{"StreamName":"s",\#(mode)}"#)
        var scalers = OnDemandScalers(.aws)
        var sent: [String: Int] = [:]
        try await run(service, &scalers, seconds: 6, keys, each: 70, sent: &sent)
        let count = try await open(service).count
        #expect(count >= 7, "\(count) shards for 2.7 MiB/s")
        let summary = try await service.call("DescribeStreamSummary", #"{"StreamName":"s"}"#)[
            "StreamDescriptionSummary"
        ]
        #expect(summary?["StreamStatus"]?.string == "ACTIVE")

        var found: [String: [Int]] = [:]
        for shard in try await service.shards("s") {
            var next: String? = try await service.iterator("s", try #require(shard["ShardId"]?.string), "TRIM_HORIZON")
            while let at = next {
                service.time.advance(10_000)
                let page = try await service.call("GetRecords", #"{"ShardIterator":"\#(at)"}"#)
                for record in page["Records"]?.array ?? [] {
                    let text = service.data(record).prefix { $0 != " " }
                    found[record["PartitionKey"]?.string ?? "", default: []].append(Int(text) ?? -1)
                }
                next = page["NextShardIterator"]?.string
                if page["MillisBehindLatest"]?.integer == 0, page["Records"]?.array?.isEmpty == true { break }
            }
        }
        for (key, count) in sent { #expect(found[key] == Array(0..<count), "\(key)") }

        // The load gone, it goes back to four.
        for _ in 0..<200 {
            service.time.advance(1000)
            await service.collector.scaleOnDemandStreams(&scalers)
        }
        #expect(try await open(service).count == 4)
    }

    @Test("a stream turned to on-demand keeps its shards at least; a provisioned one never scales")
    func floor() async throws {
        let service = try await service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":6}"#)
        var scalers = OnDemandScalers(.aws)
        func wait() async {
            for _ in 0..<150 {
                service.time.advance(1000)
                await service.collector.scaleOnDemandStreams(&scalers)
            }
        }
        await wait()
        #expect(try await open(service).count == 6)
        let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/s"
        try await service.call("UpdateStreamMode", #"{"StreamARN":"\#(arn)",\#(mode)}"#)
        await wait()
        #expect(try await open(service).count == 6)
    }

    @Test("a reshard that could not be finished keeps other changes away, and upkeep finishes it")
    func interrupted() async throws {
        let service = try await service()
        try await service.call("CreateStream", #"{"StreamName":"s",\#(mode)}"#)
        let stream = try #require(service.collector.streams.withLock { $0.values.first })
        var record = stream.record
        var result = record.shards
        _ = try result.split(ShardID(0), at: HashKey(1 << 100), now: service.time.now)
        record.begin(result, isShown: false)
        try await service.collector.write(record, stream)
        #expect(stream.record.status == .active)

        let error = await #expect(throws: AWSError.self) {
            try await service.call("IncreaseStreamRetentionPeriod", #"{"StreamName":"s","RetentionPeriodHours":48}"#)
        }
        #expect(error?.code == "ResourceInUseException" && error?.message.hasSuffix("in state UPDATING") == true)
        #expect(try await open(service).count == 4)
        await service.collector.keepUp()
        #expect(try await open(service).count == 5)
        try await service.call("IncreaseStreamRetentionPeriod", #"{"StreamName":"s","RetentionPeriodHours":48}"#)
    }

    @Test("a warm throughput brings its shards before the traffic")
    func warm() async throws {
        let service = try await service()
        try await service.call(
            "UpdateAccountSettings",
            #"{"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}}"#
        )
        try await service.call("CreateStream", #"{"StreamName":"s",\#(mode),"WarmThroughputMiBps":10}"#)
        #expect(try await open(service).count == 10)
        try await service.call("UpdateStreamWarmThroughput", #"{"StreamName":"s","WarmThroughputMiBps":30}"#)
        #expect(try await open(service).count == 30)
    }
}
