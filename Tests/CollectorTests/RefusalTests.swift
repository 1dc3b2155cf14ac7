import AWSProtocol
import Testing

@testable import Collector

@Suite("refusals in AWS's words")
struct RefusalTests {
    private func message(_ operation: String, _ json: String) async throws -> String {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":2}"#)
        do {
            try await service.call(operation, json)
            return "no error"
        } catch let error as AWSError {
            return "\(error.code): \(error.message)"
        }
    }

    @Test(
        "each names what is wrong",
        arguments: [
            (
                "DescribeStream", #"{"StreamName":"x"}"#,
                "ResourceNotFoundException: Stream x under account 000000000000 not found."
            ),
            (
                "CreateStream", #"{"StreamName":"s","ShardCount":1}"#,
                "ResourceInUseException: Stream s under account 000000000000 already exists."
            ),
            (
                "CreateStream", #"{"StreamName":"a b","ShardCount":0}"#,
                "ValidationException: 2 validation errors detected: Value 'a b' at 'streamName' failed to satisfy constraint: "
                    + "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '0' at 'shardCount' failed to satisfy "
                    + "constraint: Member must have value greater than or equal to 1"
            ),
            (
                "PutRecord", #"{"StreamName":"s","Data":"YQ=="}"#,
                "ValidationException: 1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: "
                    + "Member must not be null"
            ),
            (
                "PutRecord", #"{"StreamName":"s","Data":"YQ","PartitionKey":"k"}"#,
                "SerializationException: 'YQ' can not be converted to a Blob: Base64 encoded length is expected a multiple "
                    + "of 4 bytes but found: 2"
            ),
            (
                "PutRecord",
                #"{"StreamName":"s","Data":"YQ==","PartitionKey":"k","ExplicitHashKey":"340282366920938463463374607431768211456"}"#,
                "InvalidArgumentException: Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
                    + "Specified value was 340282366920938463463374607431768211456"
            ),
            (
                "GetShardIterator", #"{"StreamName":"s","ShardId":"9","ShardIteratorType":"LATEST"}"#,
                "ResourceNotFoundException: Shard shardId-000000000009 in stream s under account 000000000000 does not exist"
            ),
            ("GetRecords", #"{"ShardIterator":"nonsense"}"#, "InvalidArgumentException: Invalid ShardIterator."),
            (
                "MergeShards", #"{"StreamName":"s","ShardToMerge":"1","AdjacentShardToMerge":"0"}"#,
                "InvalidArgumentException: Shards shardId-000000000001 and shardId-000000000000 in stream s under account "
                    + "000000000000 are not an adjacent pair of shards eligible for merging"
            ),
            (
                "SplitShard", #"{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"1"}"#,
                "InvalidArgumentException: NewStartingHashKey 1 used in SplitShard() on shard shardId-000000000000 in stream s under "
                    + "account 000000000000 is not both greater than one plus the shard's StartingHashKey 0 and less than the shard's "
                    + "EndingHashKey 170141183460469231731687303715884105727."
            ),
            ("Nonsense", "{}", "UnknownOperationException: "),
        ]
    )
    func words(operation: String, json: String, expected: String) async throws {
        #expect(try await message(operation, json) == expected)
    }

    @Test("a record of more than 1 MiB is refused, one of exactly 1 MiB is not")
    func size() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        func put(_ count: Int) async throws {
            let data = Base64.encode(Array(repeating: 0x61, count: count))
            try await service.call("PutRecord", #"{"StreamName":"s","Data":"\#(data)","PartitionKey":"k"}"#)
        }
        try await put(1_048_575)
        await #expect(throws: AWSError.validation("")) { try await put(1_048_576) }
    }

    @Test("501 records are too many, unless the request names its producer")
    func count() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let records = (0..<501).map { (key: "k", data: "\($0)") }
        await #expect(throws: AWSError.validation("")) { _ = try await service.put("s", records) }
        #expect(try await service.put("s", records, producer: "1:0+501")["FailedRecordCount"]?.integer == 0)
    }
}
