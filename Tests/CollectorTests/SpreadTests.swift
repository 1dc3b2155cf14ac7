import AWSProtocol
import Testing

@testable import Collector

@Suite("streams that spread records by themselves")
struct SpreadTests {
    private func service() async throws -> Service {
        let service = try await Service()
        try await service.call(
            "CreateStream",
            #"{"StreamName":"s","StreamModeDetails":{"StreamMode":"ON_DEMAND"},"RecordDistributionStrategy":"AUTO"}"#
        )
        return service
    }

    @Test("take records without keys and put them round the open shards, batch by batch and one by one")
    func evenly() async throws {
        let service = try await service()
        let batch = Array(repeating: #"{"Data":"YQ=="}"#, count: 10).joined(separator: ",")
        for _ in 0..<3 { try await service.call("PutRecords", #"{"StreamName":"s","Records":[\#(batch)]}"#) }
        for _ in 0..<10 { try await service.call("PutRecord", #"{"StreamName":"s","Data":"YQ=="}"#) }
        let counts = try await service.contents("s").values.map(\.count)
        #expect(counts == [10, 10, 10, 10])
    }

    @Test("answer the keys that were given, do not use them, and leave out those that were not")
    func keys() async throws {
        let service = try await service()
        let record =
            #"{"Data":"YQ==","PartitionKey":"same","ExplicitHashKey":"340282366920938463463374607431768211456"}"#
        try await service.call("PutRecords", #"{"StreamName":"s","Records":[\#(record),\#(record),{"Data":""}]}"#)
        var keys: [String?] = []
        for shard in try await service.shards("s") {
            let id = try #require(shard["ShardId"]?.string)
            let records = try await service.read(try await service.iterator("s", id, "TRIM_HORIZON")).records
            #expect(records.count <= 1)
            keys += records.map { $0["PartitionKey"]?.string }
        }
        #expect(keys == ["same", "same", nil])
    }

    @Test("still check keys that are there, and data that is not")
    func constraints() async throws {
        let service = try await service()
        for (record, member) in [(#"{"Data":"","PartitionKey":""}"#, "partitionKey"), ("{}", "data")] {
            let error = await #expect(throws: AWSError.self) {
                try await service.call("PutRecords", #"{"StreamName":"s","Records":[\#(record)]}"#)
            }
            #expect(error?.message.contains("'records.1.member.\(member)'") == true)
            #expect(error?.message.hasPrefix("1 validation error") == true)
        }
    }

    @Test("place a numbered record by its number: sent again it is found")
    func producers() async throws {
        let service = try await service()
        let records = (0..<100).map { #"{"Data":"\#(Base64.encode(Array("\($0)".utf8)))"}"# }.joined(separator: ",")
        for _ in 0..<2 {
            let answer = try await service.call(
                "PutRecords",
                #"{"StreamName":"s","Records":[\#(records)]}"#,
                producer: "7:0+100"
            )
            #expect(answer["FailedRecordCount"]?.integer == 0)
        }
        let contents = try await service.contents("s")
        #expect(contents.values.joined().sorted() == (0..<100).map { "\($0)" }.sorted())
        #expect(contents.values.allSatisfy { $0.count > 10 })
    }
}
