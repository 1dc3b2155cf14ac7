import AWSProtocol
import ShardLog
import StateStore
import Testing

@testable import Collector

@Suite("changes of a stream that the engines interrupt", .serialized)
struct UnfinishedTests {
    /// Tries until the engines let it through, as an SDK does on 500 and 503.
    private func insist(_ service: Service, _ operation: String, _ json: String) async throws {
        while true {
            do {
                _ = try await service.call(operation, json)
                return
            } catch let error as AWSError where error.status >= 500 {
                continue
            }
        }
    }

    private func status(_ service: Service, _ name: String) async throws -> String? {
        do {
            let answer = try await service.call("DescribeStreamSummary", #"{"StreamName":"\#(name)"}"#)
            return answer["StreamDescriptionSummary"]?["StreamStatus"]?.string
        } catch let error as AWSError where error.code == "ResourceNotFoundException" {
            return nil
        }
    }

    @Test(
        "a stream is made, split and deleted to the end, however often a step fails, without a restart",
        arguments: 1...20
    )
    func finishes(seed: UInt64) async throws {
        let log = FaultyShardLog(
            MemoryShardLog(),
            seed: seed,
            rates: .init(unknownApplied: 0.2, unknownNotApplied: 0.2, unavailable: 0.2)
        )
        // A store that loses its own answers is met by reading; one that is away is an error for the client to retry.
        let state = FaultyStateStore(MemoryStateStore(), seed: seed, rates: .init())
        let service = try await Service(log: log, state: state)
        state.setRates(.init(unknownApplied: 0.2, unknownNotApplied: 0.2, unavailable: 0.2))
        for round in 0..<3 {
            // A create that was answered badly may have happened all the same.
            do {
                try await insist(service, "CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
            } catch let error as AWSError {
                #expect(error.code == "ResourceInUseException")
            }
            while try await status(service, "s") != "ACTIVE" { await service.collector.keepUp() }
            do {
                try await insist(
                    service,
                    "SplitShard",
                    #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"1000"}"#
                )
            } catch let error as AWSError {
                #expect(error.code == "ResourceInUseException" || error.code == "InvalidArgumentException")
            }
            while try await status(service, "s") != "ACTIVE" { await service.collector.keepUp() }
            let shards = try await service.shards("s")
            #expect(shards.count == 3 && shards[0]["SequenceNumberRange"]?["EndingSequenceNumber"] != nil, "\(round)")
            do {
                try await insist(service, "DeleteStream", #"{"StreamName":"s"}"#)
            } catch let error as AWSError {
                #expect(error.code == "ResourceNotFoundException")
            }
            while try await status(service, "s") != nil { await service.collector.keepUp() }
        }
        #expect(log.injectedFaults > 0 && state.injectedErrors > 0)
        log.setRates(.init())
        #expect(try await log.list().isEmpty, "seed \(seed)")
    }

    @Test("a stream that is on its way in or out takes no records and keeps its name")
    func servesOnlyBetween() async throws {
        let log = FaultyShardLog(MemoryShardLog(), seed: 1, rates: .init(unavailable: 1))
        let service = try await Service(log: log)
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        #expect(try await status(service, "s") == "CREATING")
        await #expect(throws: AWSError.notFound("")) { try await service.put("s", [("k", "a")]) }
        await #expect(throws: AWSError.inUse("")) {
            try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        }
        log.setRates(.init())
        await service.collector.keepUp()
        #expect(try await status(service, "s") == "ACTIVE")
        _ = try await service.put("s", [("k", "a")])
        log.setRates(.init(unavailable: 1))
        try await service.call("DeleteStream", #"{"StreamName":"s"}"#)
        #expect(try await status(service, "s") == "DELETING")
        await #expect(throws: AWSError.notFound("")) { try await service.put("s", [("k", "b")]) }
        log.setRates(.init())
        await service.collector.keepUp()
        #expect(try await status(service, "s") == nil)
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        #expect(try await service.contents("s").values.allSatisfy(\.isEmpty))
    }
}
