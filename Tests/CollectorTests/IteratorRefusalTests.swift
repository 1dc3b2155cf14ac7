import AWSProtocol
import StreamModel
import Testing

@testable import Collector

@Suite("what GetShardIterator refuses, in AWS's words")
struct IteratorRefusalTests {
    private func refusal(_ members: String) async throws -> String {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":3}"#)
        let error = await #expect(throws: AWSError.self) { try await service.call("GetShardIterator", "{\(members)}") }
        return try #require(error?.description)
    }

    private func at(_ number: String, shard: String = "shardId-0") async throws -> String {
        try await refusal(
            #""StreamName":"s","ShardId":"\#(shard)","ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":"\#(number)""#
        )
    }

    @Test("of a stream that is not there the shard is missed, in the form that AWS writes")
    func missingStream() async throws {
        for name in ["2147483647", "any-2147483647", "a-00002147483647", "-00002147483647"] {
            #expect(
                try await refusal(#""StreamName":"t","ShardId":"\#(name)","ShardIteratorType":"LATEST""#)
                    == "ResourceNotFoundException: Shard shardId-002147483647 in stream t under account 000000000000 does not exist"
            )
        }
    }

    @Test("a name that no shard can have is not found, with or without the stream")
    func badNames() async throws {
        for name in ["2147483648", "shardId-002147483648", "ABKLFD8", "2.14E4"] {
            for stream in ["s", "t"] {
                #expect(
                    try await refusal(#""StreamName":"\#(stream)","ShardId":"\#(name)","ShardIteratorType":"LATEST""#)
                        == "ResourceNotFoundException: Could not find shard \(name) in stream \(stream) under account 000000000000."
                )
            }
        }
    }

    @Test("a missing shard comes before a number that fits nothing, and before one that is not wanted")
    func order() async throws {
        let missing =
            "ResourceNotFoundException: Shard shardId-000000000005 in stream s under account 000000000000 does not exist"
        #expect(try await at("5", shard: "shardId-5") == missing)
        #expect(
            try await refusal(#""StreamName":"s","ShardId":"5","ShardIteratorType":"AT_SEQUENCE_NUMBER""#) == missing
        )
        #expect(
            try await refusal(
                #""StreamName":"s","ShardId":"5","ShardIteratorType":"LATEST","StartingSequenceNumber":"1""#
            ) == missing
        )
        #expect(try await refusal(#""StreamName":"s","ShardId":"5","ShardIteratorType":"AT_TIMESTAMP""#) == missing)
    }

    @Test("a number that encodes another shard, in any version")
    func otherShard() async throws {
        let two = SequenceNumber(created: 1_795_000_000, counter: 65_536, time: 1_795_000_000, shard: 2).description
        for (number, shard) in [("5", 5), (two, 2)] {
            #expect(
                try await at(number) == "InvalidArgumentException: Invalid StartingSequenceNumber. It encodes "
                    + "shardId-00000000000\(shard), while it was used in a call to a shard with shardId-000000000000"
            )
        }
    }

    @Test("a number of another stream, or of an older version, which is printed whole")
    func otherStream() async throws {
        let other = SequenceNumber(created: 1_700_000_000, counter: 65_536, time: 1_795_000_000, shard: 0).description
        for (number, shown) in [("0", "21267647932558653966460912964485513216"), (other, other)] {
            #expect(
                try await at(number)
                    == "InvalidArgumentException: StartingSequenceNumber \(shown) used in GetShardIterator on "
                    + "shard shardId-000000000000 in stream s under account 000000000000 is invalid because it did not come "
                    + "from this stream."
            )
        }
    }

    @Test("a number of no version")
    func invalid() async throws {
        for number in ["26227199374822427428162556223570313216", String(repeating: "9", count: 129)] {
            #expect(
                try await at(number)
                    == "InvalidArgumentException: StartingSequenceNumber \(number) used in GetShardIterator on "
                    + "shard shardId-000000000000 in stream s under account 000000000000 is invalid."
            )
        }
    }
}
