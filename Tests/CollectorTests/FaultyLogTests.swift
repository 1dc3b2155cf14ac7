import AWSProtocol
import ShardLog
import Testing

@testable import Collector

/// The collector over engines that fail in every way the seam allows. Clients of the test do what the agent does: a put
/// that was not answered well is sent again, under the same producer and sequence, until it is.
@Suite("a log that fails now and then", .serialized)
struct FaultyLogTests {
    private static let rates = FaultyShardLog.Rates(
        unknownApplied: 0.1,
        unknownNotApplied: 0.1,
        unavailable: 0.1,
        stale: 0.1,
        delay: 0.2,
        longestDelay: .milliseconds(1)
    )

    /// Puts lines 0 ..< count under one producer, some at a time, each request until all of it is stored. Now and then a
    /// request's first copy is left alone, as after a timeout, and runs beside the next.
    private func write(_ service: Service, producer: Int, count: Int, seed: UInt64) async throws {
        var random = SplitMix(state: seed &* 1000 &+ UInt64(producer))
        let name = String(producer + 0x5000, radix: 16)
        var first = 0
        try await withThrowingTaskGroup(of: Void.self) { abandoned in
            while first < count {
                let end = min(count, first + Int.random(in: 1...20, using: &random))
                var rest = Array(first..<end)
                while !rest.isEmpty {
                    let records = rest.map { ("key\(producer)-\($0)", "\(producer):\($0)") }
                    let header = rest.map { "\(name):\($0)+1" }.joined(separator: ";")
                    if Int.random(in: 0..<4, using: &random) == 0 {
                        abandoned.addTask { _ = try? await service.put("s", records, producer: header) }
                    }
                    do {
                        let answer = try await service.put("s", records, producer: header)
                        let entries = try #require(answer["Records"]?.array)
                        rest = zip(rest, entries).filter { $1["ErrorCode"]?.string != nil }.map(\.0)
                    } catch let error as AWSError {
                        // Nothing of the request is known to be stored.
                        #expect(error.status == 500 || error.status == 503, "\(error)")
                    }
                }
                first = end
            }
            try await abandoned.waitForAll()
        }
    }

    /// Merges the stream's two shards, splits what came of it at another key, and merges again.
    private func reshard(_ service: Service) async throws {
        for (operation, body) in [
            ("MergeShards", #"{"StreamName":"s","ShardToMerge":"0","AdjacentShardToMerge":"1"}"#),
            (
                "SplitShard",
                #"{"StreamName":"s","ShardToSplit":"2","NewStartingHashKey":"100000000000000000000000000000000000000"}"#
            ),
            ("MergeShards", #"{"StreamName":"s","ShardToMerge":"3","AdjacentShardToMerge":"4"}"#),
        ] {
            try await Task.sleep(for: .milliseconds(20))
            while true {
                do {
                    try await service.call(operation, body)
                    break
                } catch let error as AWSError where error.code == "ResourceInUseException" {
                    // The one before is not finished.
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
        }
    }

    /// Encrypts the stream, and not, and again: frames of both kinds are mixed.
    private func encrypt(_ service: Service) async throws {
        for operation in ["StartStreamEncryption", "StopStreamEncryption", "StartStreamEncryption"] {
            let body = #"{"StreamName":"s","EncryptionType":"KMS","KeyId":"alias/aws/kinesis"}"#
            while true {
                do {
                    try await service.call(operation, body)
                    break
                } catch let error as AWSError where error.code == "ResourceInUseException" {
                    // A reshard is under way.
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
            try await Task.sleep(for: .milliseconds(15))
        }
    }

    @Test("stores every record exactly once and each key's in order, also across reshards", arguments: 1...50)
    func exactlyOnce(seed: UInt64) async throws {
        let log = FaultyShardLog(MemoryShardLog(), seed: seed, rates: .init())
        let service = try await Service(log: log)
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":2}"#)
        log.setRates(Self.rates)
        let upkeep = Task {
            while !Task.isCancelled {
                await service.collector.keepUp()
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<4 {
                group.addTask { try await self.write(service, producer: producer, count: 200, seed: seed) }
            }
            group.addTask { try await self.reshard(service) }
            group.addTask { try await self.encrypt(service) }
            try await group.waitForAll()
        }
        upkeep.cancel()
        _ = await upkeep.result
        #expect(log.injectedFaults > 0)
        log.setRates(.init())
        // The last reshard may have been accepted and not carried out.
        await service.collector.keepUp()
        let contents = try await service.contents("s")
        #expect(contents.count == 6)
        let expected = Set((0..<4).flatMap { producer in (0..<200).map { "\(producer):\($0)" } })
        let all = contents.values.joined()
        #expect(expected.subtracting(all).sorted() == [], "lost, seed \(seed)")
        #expect(all.count == expected.count, "some are there twice, seed \(seed)")
    }
}
