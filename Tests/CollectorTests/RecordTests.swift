import AWSProtocol
import ShardLog
import StateStore
import Testing

@testable import Collector

@Suite("records")
struct RecordTests {
    @Test(
        "come back in the order they were put, with rising sequence numbers, whatever the page size",
        arguments: [1, 7, 1000]
    )
    func order(limit: Int) async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let data = (0..<50).map { "line \($0)" }
        for part in stride(from: 0, to: 50, by: 10) {
            _ = try await service.put("s", data[part..<part + 10].map { ("k\($0)", $0) })
        }
        let records = try await service.read(try await service.iterator("s", "0", "TRIM_HORIZON"), limit: limit).records
        #expect(records.map(service.data) == data)
        let numbers = records.compactMap { $0["SequenceNumber"]?.string }
        #expect(numbers == numbers.sorted() && Set(numbers).count == 50)
    }

    @Test("PutRecords answers each record in order with its shard and number, as GetRecords shows them")
    func answers() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":3}"#)
        let answer = try await service.put("s", (0..<40).map { ("key\($0)", "d\($0)") })
        #expect(answer["FailedRecordCount"]?.integer == 0)
        var stored: [String: String] = [:]
        for shard in try await service.shards("s") {
            let id = try #require(shard["ShardId"]?.string)
            for record in try await service.read(try await service.iterator("s", id, "TRIM_HORIZON")).records {
                stored[service.data(record)] = id + (record["SequenceNumber"]?.string ?? "")
            }
        }
        let entries = try #require(answer["Records"]?.array)
        for (index, entry) in entries.enumerated() {
            #expect(stored["d\(index)"] == (entry["ShardId"]?.string ?? "") + (entry["SequenceNumber"]?.string ?? ""))
        }
    }

    @Test("AT and AFTER a sequence number, at a timestamp, LATEST: each starts where AWS says")
    func iterators() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let first = try await service.put("s", [("k", "a"), ("k", "b"), ("k", "c")])
        service.time.advance(5000)
        _ = try await service.put("s", [("k", "d")])
        let number = try #require(first["Records"]?.array?[1]["SequenceNumber"]?.string)
        func from(_ type: String, _ more: String = "") async throws -> [String] {
            try await service.read(try await service.iterator("s", "0", type, more)).records.map(service.data)
        }
        #expect(try await from("AT_SEQUENCE_NUMBER", #","StartingSequenceNumber":"\#(number)""#) == ["b", "c", "d"])
        #expect(try await from("AFTER_SEQUENCE_NUMBER", #","StartingSequenceNumber":"\#(number)""#) == ["c", "d"])
        #expect(try await from("AT_TIMESTAMP", #","Timestamp":1795000000.001"#) == ["d"])
        #expect(try await from("AT_TIMESTAMP", #","Timestamp":1794000000"#) == ["a", "b", "c", "d"])
        #expect(try await from("LATEST") == [])
        let start = try #require(
            try await service.shards("s")[0]["SequenceNumberRange"]?["StartingSequenceNumber"]?.string
        )
        #expect(
            try await from("AT_SEQUENCE_NUMBER", #","StartingSequenceNumber":"\#(start)""#) == ["a", "b", "c", "d"]
        )
        #expect(
            try await from("AFTER_SEQUENCE_NUMBER", #","StartingSequenceNumber":"\#(start)""#) == ["a", "b", "c", "d"]
        )
    }

    @Test("an iterator older than five minutes has expired, and a made-up one is refused")
    func expiry() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let iterator = try await service.iterator("s", "0", "LATEST")
        service.time.advance(300_001)
        await #expect(throws: AWSError("ExpiredIteratorException", "")) {
            try await service.call("GetRecords", #"{"ShardIterator":"\#(iterator)"}"#)
        }
        await #expect(throws: AWSError.invalidArgument("")) {
            try await service.call("GetRecords", #"{"ShardIterator":"\#(iterator.dropLast(8))AAAAAAA="}"#)
        }
    }

    @Test("a closed shard ends with its children, and children's numbers sort above their parent's")
    func closed() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        _ = try await service.put("s", [("a", "before")])
        try await service.call(
            "SplitShard",
            #"{"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"170141183460469231731687303715884105728"}"#
        )
        let put = try await service.put("s", [("a", "after"), ("b", "after"), ("c", "after")])
        #expect(put["FailedRecordCount"]?.integer == 0)
        let old = try await service.read(try await service.iterator("s", "0", "TRIM_HORIZON"))
        #expect(old.records.map(service.data) == ["before"])
        #expect(old.end["NextShardIterator"] == nil)
        let children = try #require(old.end["ChildShards"]?.array)
        #expect(children.compactMap { $0["ShardId"]?.string } == ["shardId-000000000001", "shardId-000000000002"])
        #expect(children.allSatisfy { $0["ParentShards"]?.array == [.string("shardId-000000000000")] })
        let number = try #require(old.records[0]["SequenceNumber"]?.string)
        for entry in try #require(put["Records"]?.array) {
            #expect(try #require(entry["SequenceNumber"]?.string) > number)
        }
        #expect(try await service.read(try await service.iterator("s", "0", "LATEST")).end["ChildShards"] != nil)
    }

    @Test("a number that was given out orders the next put, also of a shard that is stamped in seconds to come")
    func ordering() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":4}"#)
        // Merged twice within a second: the last shard's stamp stands two seconds ahead of the clock.
        for target in [2, 1] {
            try await service.call(
                "UpdateShardCount",
                #"{"StreamName":"s","TargetShardCount":\#(target),"ScalingType":"UNIFORM_SCALING"}"#
            )
        }
        var order = ""
        for _ in 0..<3 {
            let put = try await service.call(
                "PutRecord",
                #"{"StreamName":"s","PartitionKey":"k","Data":""\#(order)}"#
            )
            let number = try #require(put["SequenceNumber"]?.string)
            order = #","SequenceNumberForOrdering":"\#(number)""#
        }
    }

    @Test("a producer's many stretches take no room in a frame but for its own records")
    func stretches() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":50}"#)
        let records = (0..<400).map { (key: "k\($0)", data: "d\($0)") }
        let producer = (0..<400).map { "\(String($0 + 1, radix: 16)):0+1" }.joined(separator: ";")
        let answer = try await service.put("s", records, producer: producer)
        #expect(answer["FailedRecordCount"]?.integer == 0)
        var bytes = 0
        for ref in try await service.log.list() {
            bytes += try await service.log.read(ref, from: .start, maxBytes: 1 << 24).bytes.count
        }
        #expect(bytes < 400 * 200)
    }

    @Test("survive a restart over the same engines, with their numbers")
    func restart() async throws {
        let first = try await Service()
        try await first.call("CreateStream", #"{"StreamName":"s","ShardCount":2}"#)
        _ = try await first.put("s", (0..<20).map { ("k\($0)", "d\($0)") })
        let before = try await first.contents("s")
        let second = try await Service(log: first.log, state: first.state)
        #expect(try await second.contents("s") == before)
        let more = try await second.put("s", [("k", "x")])
        #expect(more["FailedRecordCount"]?.integer == 0)
    }

    @Test("a producer's repeated records are dropped and answered as stored, in memory and after a restart")
    func duplicates() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":2}"#)
        let records = (0..<30).map { (key: "k\($0)", data: "d\($0)") }
        _ = try await service.put("s", records, producer: "ff:0+30")
        let again = try await service.put("s", Array(records[10...]) + [("z", "new")], producer: "ff:10+21")
        #expect(again["FailedRecordCount"]?.integer == 0)
        let restarted = try await Service(log: service.log, state: service.state)
        _ = try await restarted.put("s", records, producer: "ff:0+30")
        let all = try await restarted.contents("s").values.joined().sorted()
        #expect(all == (records.map(\.data) + ["new"]).sorted())
    }

    @Test("repeated records are still dropped after splits and merges")
    func duplicatesAcrossReshards() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let records = (0..<30).map { (key: "k\($0)", data: "d\($0)") }
        _ = try await service.put("s", Array(records[..<20]), producer: "1:0+20")
        try await service.call(
            "SplitShard",
            #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"170141183460469231731687303715884105728"}"#
        )
        _ = try await service.put("s", Array(records[5..<25]), producer: "1:5+20")
        try await service.call("MergeShards", #"{"StreamName":"s","ShardToMerge":"1","AdjacentShardToMerge":"2"}"#)
        _ = try await service.put("s", records, producer: "1:0+30")
        #expect(try await service.contents("s").values.joined().sorted() == records.map(\.data).sorted())
    }

    @Test("puts that race with reshards lose nothing and keep each key's order")
    func races() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for round in 0..<50 {
                        let answer = try await service.put("s", [("w\(writer)", "\(writer):\(round)")])
                        #expect(answer["FailedRecordCount"]?.integer == 0)
                    }
                }
            }
            group.addTask {
                for _ in 0..<10 {
                    let open = try await service.shards("s").filter {
                        $0["SequenceNumberRange"]?["EndingSequenceNumber"] == nil
                    }
                    if open.count == 1 {
                        try await service.call(
                            "SplitShard",
                            #"{"StreamName":"s","ShardToSplit":"\#(open[0]["ShardId"]?.string ?? "")","NewStartingHashKey":"170141183460469231731687303715884105728"}"#
                        )
                    } else {
                        try await service.call(
                            "MergeShards",
                            #"{"StreamName":"s","ShardToMerge":"\#(open[0]["ShardId"]?.string ?? "")","AdjacentShardToMerge":"\#(open[1]["ShardId"]?.string ?? "")"}"#
                        )
                    }
                }
            }
            try await group.waitForAll()
        }
        // Shards are listed in the order of their creation: a key's records stand in one lineage, parents first.
        var seen: [String: [String]] = [:]
        for shard in try await service.shards("s") {
            let id = try #require(shard["ShardId"]?.string)
            for record in try await service.read(try await service.iterator("s", id, "TRIM_HORIZON")).records {
                seen[record["PartitionKey"]?.string ?? "", default: []].append(service.data(record))
            }
        }
        for writer in 0..<4 { #expect(seen["w\(writer)"] == (0..<50).map { "\(writer):\($0)" }) }
    }
}
