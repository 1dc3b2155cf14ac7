import AWSProtocol
import EmbeddedLog
import Glibc
import Logging
import ShardLog
import StreamModel
import Synchronization
import Testing

@testable import Collector

/// Readers that are cut off and subscribe anew behind the last ContinuationSequenceNumber, while records are put and shards are
/// split and merged. Whatever happens, each shard's records come once and in order, and a reader that follows ChildShards alone
/// finds every shard.
@Suite("going on from a ContinuationSequenceNumber", .timeLimit(.minutes(5)))
struct ResumeTests {
    /// What was read of one shard.
    private struct Progress {
        var data: [String] = []
        var numbers: [SequenceNumber] = []
        var continuation: SequenceNumber?
        var isOver = false
    }

    /// Reads a stream as KCL does: children are read when all their parents are over, and nothing but the events tells of them.
    private final class Reader: Sendable {
        let service: Service
        let consumer: String
        let seed: UInt64
        let progress = Mutex<[Int: Progress]>([:])
        let isLast = Mutex(false)

        init(_ service: Service, consumer: String, seed: UInt64) {
            self.service = service
            self.consumer = consumer
            self.seed = seed
        }

        /// Reads a shard to its end, or until nothing more will come, and then its children.
        func read(_ shard: Int) async throws {
            progress.withLock { $0[shard] = Progress() }
            var random = SplitMix(state: seed &+ UInt64(shard) &* 977)
            var children: [JSONValue]?
            while children == nil {
                let patience = Int.random(in: 1...6, using: &random)
                // Looked at before: an event that was written earlier says nothing of what came then.
                let isLast = isLast.withLock { $0 }
                let feed: EventReader
                do {
                    feed = try await subscribe(shard, &random)
                } catch let error as AWSError {
                    // The log is away, or lags behind the number: a client tries again.
                    #expect(error.status >= 500 || error == .invalidArgument(""), "seed \(seed): \(error)")
                    try await Task.sleep(for: .milliseconds(1))
                    continue
                }
                var silent = 0
                for _ in 0..<patience {
                    guard let message = try await feed.next() else { break }
                    guard case .event(let event) = message else {
                        if message == .initial { continue }
                        guard case .exception(let type, _) = message else { break }
                        #expect(type == "InternalFailureException", "seed \(seed)")
                        break
                    }
                    try note(event, shard)
                    children = event.children
                    silent = event.data.isEmpty ? silent + 1 : 0
                }
                await feed.close()
                if isLast, silent > 0, children == nil { return }
            }
            let ready = progress.withLock { progress -> [Int] in
                progress[shard]?.isOver = true
                return (children ?? []).compactMap { child in
                    let parents = (child["ParentShards"]?.array ?? []).compactMap { Self.index($0) }
                    guard let index = child["ShardId"].flatMap(Self.index), progress[index] == nil,
                        parents.allSatisfy({ progress[$0]?.isOver == true })
                    else { return nil }
                    progress[index] = Progress()
                    return index
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for child in ready { group.addTask { try await self.read(child) } }
                try await group.waitForAll()
            }
        }

        private static func index(_ json: JSONValue) -> Int? {
            json.string.flatMap { Int($0.dropFirst("shardId-".count)) }
        }

        /// From the beginning, or behind the last number that was told or seen.
        private func subscribe(_ shard: Int, _ random: inout SplitMix) async throws -> EventReader {
            guard let progress = progress.withLock({ $0[shard] }), let number = progress.continuation else {
                return try await service.subscribe(consumer, shard, "TRIM_HORIZON")
            }
            // A client that was cut off within an event goes on behind the last record it has.
            let record = progress.numbers.last
            let chosen = record.map { $0 >= number ? $0 : number } ?? number
            return try await service.subscribe(
                consumer,
                shard,
                "AFTER_SEQUENCE_NUMBER",
                #","SequenceNumber":"\#(chosen)""#
            )
        }

        private func note(_ event: EventReader.Event, _ shard: Int) throws {
            let numbers = try event.numbers.map { try #require(SequenceNumber(decimal: $0)) }
            let next = try event.continuation.map { try #require(SequenceNumber(decimal: $0)) }
            progress.withLock { all in
                guard var progress = all[shard] else { return }
                // Never backwards: what was told before lies below what comes behind it.
                if let before = progress.continuation {
                    #expect(numbers.allSatisfy { $0 > before }, "seed \(seed), shard \(shard)")
                    if let next { #expect(next >= before, "seed \(seed), shard \(shard)") }
                }
                if let next, let last = numbers.last { #expect(next >= last, "seed \(seed), shard \(shard)") }
                progress.data += event.data
                progress.numbers += numbers
                progress.continuation = next ?? progress.continuation
                all[shard] = progress
            }
        }
    }

    private static func put(_ service: Service, _ count: Int, seed: UInt64) async throws {
        var random = SplitMix(state: seed)
        for round in 0..<count {
            let records = (0..<Int.random(in: 1...12, using: &random)).map {
                (key: "k\(Int.random(in: 0..<50, using: &random))", data: "\(round).\($0)")
            }
            do {
                _ = try await service.put("s", records)
            } catch let error as AWSError {
                #expect(error.status >= 500, "seed \(seed): \(error)")
            }
            service.time.advance(Int64.random(in: -20...300, using: &random))
            if Int.random(in: 0..<3, using: &random) == 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    private static func reshard(_ service: Service, _ count: Int, seed: UInt64) async throws {
        var random = SplitMix(state: seed &+ 1)
        for _ in 0..<count {
            try await Task.sleep(for: .milliseconds(Int.random(in: 1...8, using: &random)))
            guard let map = service.collector.streams.withLock({ $0.values.first })?.record.shards else { return }
            let open = map.open
            let at = Int.random(in: 0..<open.count, using: &random)
            do {
                if Bool.random(using: &random), at + 1 < open.count {
                    try await service.call(
                        "MergeShards",
                        #"{"StreamName":"s","ShardToMerge":"\#(open[at].id)","AdjacentShardToMerge":"\#(open[at + 1].id)"}"#
                    )
                } else {
                    let (start, end) = (open[at].range.start.value, open[at].range.end.value)
                    let key = start + 2 + UInt128.random(in: 0..<(end - start - 3), using: &random)
                    try await service.call(
                        "SplitShard",
                        #"{"StreamName":"s","ShardToSplit":"\#(open[at].id)","NewStartingHashKey":"\#(key)"}"#
                    )
                }
            } catch let error as AWSError {
                // The one before is not finished, or was finished since the look at the map.
                let isEarly = error == .inUse("") || error == .invalidArgument("")
                #expect(isEarly || error.status >= 500, "seed \(seed): \(error)")
            }
        }
    }

    /// Runs one world; `calm` ends its bad weather.
    private func run(_ log: any ShardLog, seed: UInt64, calm: () -> Void, storm: () -> Void) async throws {
        var configuration = Collector.Configuration.quick(heartbeat: .milliseconds(2))
        // Small, so that events end within frames.
        configuration.subscriptions.eventLimit = RecordPage.Limit(records: Int(seed % 7) + 1, bytes: 40)
        let service = try await Service(log: log, configuration: configuration)
        let consumer = try await service.consumer(shards: 2)
        storm()
        let reader = Reader(service, consumer: consumer, seed: seed)
        let upkeep = Task {
            while !Task.isCancelled {
                await service.collector.keepUp()
                try await Task.sleep(for: .milliseconds(3))
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for shard in 0..<2 { group.addTask { try await reader.read(shard) } }
            try await withThrowingTaskGroup(of: Void.self) { writers in
                writers.addTask { try await Self.put(service, 60, seed: seed) }
                writers.addTask { try await Self.reshard(service, 8, seed: seed) }
                try await writers.waitForAll()
            }
            upkeep.cancel()
            _ = await upkeep.result
            calm()
            // The last reshard may have been accepted and not carried out.
            await service.collector.keepUp()
            service.time.advance(10_000)
            // From now on a silent event means that there is no more.
            reader.isLast.withLock { $0 = true }
            try await group.waitForAll()
        }
        let progress = reader.progress.withLock { $0 }
        let shards = try await service.shards("s")
        #expect(progress.count == shards.count, "seed \(seed): shards that no event told of")
        for (index, shard) in shards.enumerated() {
            let id = try #require(shard["ShardId"]?.string)
            let stored = try await service.read(try await service.iterator("s", id, "TRIM_HORIZON")).records
            #expect(progress[index]?.data == stored.map(service.data), "seed \(seed), \(id)")
            let numbers = stored.compactMap { $0["SequenceNumber"]?.string }
            #expect(progress[index]?.numbers.map(\.description) == numbers, "seed \(seed), \(id)")
        }
    }

    /// Fixed ones, and one that nobody has tried.
    private static let seeds = Array(1...40) + [UInt64.random(in: 1000 ... .max / 4)]

    @Test("loses and repeats nothing, in memory", arguments: seeds)
    func memory(seed: UInt64) async throws {
        try await run(MemoryShardLog(), seed: seed, calm: {}, storm: {})
    }

    @Test("loses and repeats nothing, on a log that fails, lags and forgets its answers", arguments: seeds)
    func faulty(seed: UInt64) async throws {
        let log = FaultyShardLog(MemoryShardLog(), seed: seed, rates: .init())
        let rates = FaultyShardLog.Rates(
            unknownApplied: 0.1,
            unknownNotApplied: 0.1,
            unavailable: 0.1,
            stale: 0.1,
            delay: 0.2,
            longestDelay: .milliseconds(1)
        )
        try await run(log, seed: seed, calm: { log.setRates(.init()) }, storm: { log.setRates(rates) })
        #expect(log.injectedFaults > 0)
    }

    @Test("loses and repeats nothing, on disk, over segments", arguments: seeds.suffix(8))
    func embedded(seed: UInt64) async throws {
        var template = Array("/tmp/millrace-resume-XXXXXX".utf8CString)
        let folder = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } }
        let directory = try #require(folder)
        let log = try EmbeddedLog.open(
            directory: directory,
            // Small, so that numbers point at ends and beginnings of segments.
            configuration: EmbeddedLog.Configuration(segmentBytes: 2048),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        try await run(log, seed: seed, calm: {}, storm: {})
        await log.close()
        try log.list().forEach { try log.delete($0) }
        for file in ["lock", "tails"] { unlink(directory + "/" + file) }
        rmdir(directory + "/journal")
        #expect(rmdir(directory) == 0)
    }
}
