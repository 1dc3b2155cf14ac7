import AWSClient
import ArgumentParser
import Consumer
import Glibc
import Logging
import UnixSignals

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Handles records until it is told to stop (the default).",
        discussion: """
            Each batch goes to COMMAND's standard input, one JSON object per line: shardId, sequenceNumber, partitionKey, \
            approximateArrivalTimestamp (ms), data (base64), and text where the data is UTF-8. Exit status 0 means handled; \
            anything else means again. With --sink-dir, records become files instead.
            """
    )

    @OptionGroup var stream: StreamOptions

    @Option(help: "Unique among the application's running workers; default: host name, process id and a random part.")
    var workerId: String?

    @Option(help: "How long a worker may be silent before its shards are taken; 1000 to 3600000, default 10000.")
    var failoverMilliseconds: String?

    @Option(help: "The most shards this worker holds; default: no limit.")
    var maxLeases: String?

    @Option(help: "The pause after a read that showed nothing new; 10 to 60000, default 1000.")
    var idleMilliseconds: String?

    @Option(help: "How many seconds a stop waits for running commands; 0 to 3600, default 10.")
    var shutdownGrace: String?

    @Option(help: "A JSON file of the progress, replaced every second.")
    var statsFile: String?

    @OptionGroup(title: "Sink") var sink: SinkOptions

    @OptionGroup(title: "Command") var batches: CommandOptions

    func run() async throws {
        // A peer that hangs up is an error of that write, not of the process.
        signal(SIGPIPE, SIG_IGN)
        let environment = Environment()
        let resolved = try stream.resolve(environment)
        let logger = try StreamOptions.logger(environment)
        let configuration = try configuration(resolved, environment)
        let handlers = try handlers(environment, resolved.stream, logger)
        // The worker has its own way of trying again: a call must not outlast a lease.
        var aws = resolved.aws
        aws.timeout = min(aws.timeout, configuration.leases.failoverTime / 2)
        let client = try AWSClient(configuration: aws, retry: .none, logger: logger)
        let worker = Worker(
            configuration: configuration,
            store: DynamoDBLeaseStore(DynamoDBClient(client), applicationName: resolved.application),
            reader: KinesisShardReader(KinesisClient(client), stream: resolved.stream),
            handlers: handlers,
            logger: logger
        )
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let listener = Task {
            for await signal in signals {
                logger.info("stopping", metadata: ["signal": "\(signal)"])
                await worker.stop()
            }
        }
        let reporter = Task { await Self.report(worker, environment.text("stats-file", statsFile), logger) }
        logger.info(
            "working",
            metadata: [
                "application": "\(resolved.application)", "stream": "\(resolved.stream)",
                "worker": "\(configuration.workerID)",
            ]
        )
        let result: Result<Void, any Error>
        do {
            try await worker.run()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        listener.cancel()
        reporter.cancel()
        await reporter.value
        await client.shutdown()
        try result.get()
        let handled = await worker.progress.recordsHandled
        logger.info("stopped", metadata: ["recordsHandled": "\(handled)"])
    }

    private func configuration(
        _ resolved: StreamOptions.Resolved,
        _ environment: Environment
    ) throws -> WorkerConfiguration {
        var random = SeededRandom()
        let own = "\(Self.hostName()):\(getpid()):\(random.uuid().prefix(8))"
        var configuration = WorkerConfiguration(
            applicationName: resolved.application,
            stream: resolved.stream,
            workerID: environment.text("worker-id", workerId) ?? own,
            position: resolved.position
        )
        let failover = try environment.number("failover-milliseconds", failoverMilliseconds, in: 1000...3_600_000)
        let most = try environment.number("max-leases", maxLeases, in: 1...1_000_000)
        configuration.leases = LeaseSettings(failoverTime: .milliseconds(failover ?? 10_000), maxLeases: most ?? .max)
        let idle = try environment.number("idle-milliseconds", idleMilliseconds, in: 10...60_000)
        configuration.shards.idleTime = .milliseconds(idle ?? 1000)
        let grace = try environment.number("shutdown-grace", shutdownGrace, in: 0...3600)
        configuration.shutdownGrace = .seconds(grace ?? 10)
        return configuration
    }

    private func handlers(
        _ environment: Environment,
        _ stream: String,
        _ logger: Logger
    ) throws -> any ShardHandlers {
        let directory = environment.text("sink-dir", sink.sinkDir)
        switch (directory, batches.command.isEmpty) {
        case (nil, true): throw Problem.usage("what to do with the records? Give --sink-dir DIR or -- COMMAND ARGS…")
        case (.some, false): throw Problem.usage("--sink-dir and a command exclude each other")
        case (.some(let directory), true): return try sink.handlers(directory, stream, environment)
        case (nil, false): return try batches.handlers(environment, logger)
        }
    }

    /// A line every ten seconds, and the stats file every second.
    private static func report(_ worker: Worker, _ path: String?, _ logger: Logger) async {
        var seconds = 0
        var isEnded = false
        repeat {
            do { try await Task.sleep(for: .seconds(1)) } catch { isEnded = true }
            let progress = await worker.progress
            if let path {
                do {
                    try StatsFile(path: path).write(progress)
                } catch {
                    logger.warning("the stats file could not be written", metadata: ["error": "\(error)"])
                }
            }
            seconds += 1
            if seconds % 10 == 0 {
                logger.info(
                    "progress",
                    metadata: [
                        "records": "\(progress.recordsHandled)", "shards": "\(progress.shardsOwned)",
                        "behindMilliseconds": "\(progress.millisBehindLatest)",
                    ]
                )
            }
        } while !isEnded
    }

    private static func hostName() -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
        return String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
