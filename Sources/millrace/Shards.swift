import ArgumentParser

struct Shards: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists a stream's shards, open and closed.")

    @Argument(help: "The stream's name.")
    var stream: String

    @OptionGroup var connection: Connection

    func run() async throws {
        try await connection.with { kinesis in
            let shards = try await kinesis.listShards(stream)
            if connection.output == .table {
                Output.table(
                    ["SHARD", "STATE", "PARENTS", "FIRST HASH KEY", "LAST HASH KEY"],
                    shards.map {
                        [
                            $0.shardID, $0.endingSequenceNumber == nil ? "open" : "closed",
                            $0.parentShardIDs.isEmpty ? "-" : $0.parentShardIDs.joined(separator: ","),
                            $0.startingHashKey,
                            $0.endingHashKey,
                        ]
                    }
                )
                return
            }
            for shard in shards {
                Output.json { json in
                    json.name("shardId")
                    json.string(shard.shardID)
                    json.name("state")
                    json.string(shard.endingSequenceNumber == nil ? "open" : "closed")
                    json.name("parents")
                    json.array { json in for parent in shard.parentShardIDs { json.string(parent) } }
                    json.name("startingHashKey")
                    json.string(shard.startingHashKey)
                    json.name("endingHashKey")
                    json.string(shard.endingHashKey)
                    json.name("startingSequenceNumber")
                    json.string(shard.startingSequenceNumber)
                    if let end = shard.endingSequenceNumber {
                        json.name("endingSequenceNumber")
                        json.string(end)
                    }
                }
            }
        }
    }
}
