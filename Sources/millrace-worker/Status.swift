import AWSClient
import ArgumentParser
import Consumer
import Glibc

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows each shard's lease: owner, checkpoint, and how old the oldest record is that isn't handled."
    )

    @OptionGroup var stream: StreamOptions

    @Option(help: "table (default) or json.")
    var output: String?

    func run() async throws {
        let environment = Environment()
        let resolved = try stream.resolve(environment)
        let format = environment.text("output", output) ?? "table"
        guard ["table", "json"].contains(format) else {
            throw Problem.configuration("--output: found '\(format)', expected table or json")
        }
        let client = try AWSClient(configuration: resolved.aws, logger: try StreamOptions.logger(environment))
        let store = DynamoDBLeaseStore(DynamoDBClient(client), applicationName: resolved.application)
        var initial: Int64 = 0
        if case .atTimestamp(let time) = resolved.position { initial = time }
        let result: Result<[ShardStatus], any Error>
        do {
            guard try await store.exists() else {
                throw Problem(
                    exitCode: 1,
                    description: "application \(resolved.application): there is no lease table; no worker has run yet"
                )
            }
            let reader = KinesisShardReader(KinesisClient(client), stream: resolved.stream)
            result = .success(try await ShardStatus.all(store: store, reader: reader, initial: initial))
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        let all = try result.get()
        if format == "json" {
            print(String(decoding: ShardStatus.json(all), as: UTF8.self))
        } else {
            print(Self.table(all))
        }
    }

    private static func table(_ all: [ShardStatus]) -> String {
        var rows = [["SHARD", "OWNER", "CHECKPOINT", "BEHIND"]]
        for status in all {
            let behind =
                switch (status.lease.checkpoint, status.lag) {
                case (.shardEnd, _): "ended"
                case (_, 0): "idle"
                case (_, .some(let lag)): "\(lag) ms"
                case (_, nil): "unknown"
                }
            rows.append([status.lease.key, status.lease.owner ?? "-", status.lease.checkpoint.description, behind])
        }
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let text = row[column]
                return column == 3 ? text : text + String(repeating: " ", count: widths[column] - text.count)
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
