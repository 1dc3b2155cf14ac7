import AWSClient
import ArgumentParser

struct Streams: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the streams.")

    @OptionGroup var connection: Connection

    func run() async throws {
        try await connection.with { kinesis in
            var summaries: [KinesisClient.StreamSummary] = []
            for name in try await kinesis.listStreams() {
                summaries.append(try await kinesis.describeStreamSummary(name))
            }
            if connection.output == .table {
                Output.table(
                    ["STREAM", "STATUS", "MODE", "OPEN SHARDS", "RETENTION", "CREATED"],
                    summaries.map {
                        [
                            $0.name, $0.status, $0.mode, String($0.openShards), "\($0.retentionHours) h",
                            Output.time($0.createdMilliseconds),
                        ]
                    }
                )
                return
            }
            for summary in summaries {
                Output.json { json in
                    json.name("stream")
                    json.string(summary.name)
                    json.name("status")
                    json.string(summary.status)
                    json.name("mode")
                    json.string(summary.mode)
                    json.name("openShards")
                    json.integer(summary.openShards)
                    json.name("retentionHours")
                    json.integer(summary.retentionHours)
                    json.name("created")
                    json.timestamp(milliseconds: summary.createdMilliseconds)
                }
            }
        }
    }
}
