import AWSClient
import ArgumentParser
import Consumer

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks whether credentials, stream and lease table are within reach; changes nothing.",
        discussion: "Exit code 0 when all is well, 78 otherwise."
    )

    @OptionGroup var stream: StreamOptions

    func run() async throws {
        let environment = Environment()
        let resolved = try stream.resolve(environment)
        let logger = try StreamOptions.logger(environment)
        let client = try AWSClient(configuration: resolved.aws, logger: logger)
        print("endpoint: \(resolved.aws.endpointURL ?? "AWS"), region \(resolved.aws.region)")
        var problems = 0
        func report(_ what: String, _ body: () async throws -> String) async {
            do {
                print("\(what): \(try await body())")
            } catch {
                problems += 1
                Problem.say("problem: \(what): \(error)")
            }
        }
        let reader = KinesisShardReader(KinesisClient(client), stream: resolved.stream)
        await report("stream \(resolved.stream)") {
            do throws(ShardReadError) {
                let shards = try await reader.shards()
                return "\(shards.count) shards, \(shards.count { !$0.isClosed }) open"
            } catch {
                throw error == .streamGone ? WorkerError.streamGone(resolved.stream) : error
            }
        }
        let store = DynamoDBLeaseStore(DynamoDBClient(client), applicationName: resolved.application)
        await report("lease table \(store.table)") {
            guard try await store.exists() else { return "not there yet; the first worker makes it" }
            let leases = try await store.leases()
            return "\(leases.count) leases, \(Set(leases.compactMap(\.owner)).count) workers"
        }
        await client.shutdown()
        guard problems == 0 else { throw ExitCode(78) }
        print("ok")
    }
}
