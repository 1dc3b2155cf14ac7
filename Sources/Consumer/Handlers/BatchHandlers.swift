import Logging

/// How batches are formed and tried again.
public struct BatchPolicy: Sendable, Equatable {
    /// The most records of one call; 500 by default.
    public var size = 500
    /// How long an incomplete batch waits for more records; zero (the default) hands over at once. Looked at after each
    /// read, so it may be late by the idle time.
    public var window: Duration = .zero
    /// The pause after the first failure; doubled after each further one.
    public var initialBackoff: Duration = .milliseconds(200)
    /// The longest pause.
    public var maximumBackoff: Duration = .seconds(30)
    /// After how many failures a batch goes to the dead-letter file. Without one, or with nil (the default), a batch is
    /// tried for ever, and its shard stands still meanwhile.
    public var maximumAttempts: Int?

    /// The defaults.
    public init() {}

    /// The pause after this many failures.
    func backoff(failures: Int) -> Duration {
        min(maximumBackoff, initialBackoff * (1 << min(max(failures - 1, 0), 20)))
    }
}

/// Turns a ``RecordHandler`` into shard handlers: batches, tries again, and gives up to a dead-letter file where asked.
public struct BatchHandlers: ShardHandlers {
    private let handler: any RecordHandler
    private let policy: BatchPolicy
    private let deadLetters: DeadLetterFile?
    private let clock: any WorkerClock
    private let logger: Logger

    /// One handler for all shards.
    public init(
        _ handler: any RecordHandler,
        policy: BatchPolicy = BatchPolicy(),
        deadLetters: DeadLetterFile? = nil,
        clock: any WorkerClock = SystemWorkerClock(),
        logger: Logger
    ) {
        self.handler = handler
        self.policy = policy
        self.deadLetters = deadLetters
        self.clock = clock
        self.logger = logger
    }

    public func begin(_ shard: ShardContext) async throws -> any ShardHandler {
        BatchShardHandler(
            shard: shard,
            handler: handler,
            policy: policy,
            deadLetters: deadLetters,
            clock: clock,
            logger: logger
        )
    }
}

private actor BatchShardHandler: ShardHandler {
    nonisolated let batchSize: Int
    private let shard: ShardContext
    private let handler: any RecordHandler
    private let policy: BatchPolicy
    private let deadLetters: DeadLetterFile?
    private let clock: any WorkerClock
    private let logger: Logger
    private var kept: [ConsumedRecord] = []
    private var keptSince: Duration = .zero

    init(
        shard: ShardContext,
        handler: any RecordHandler,
        policy: BatchPolicy,
        deadLetters: DeadLetterFile?,
        clock: any WorkerClock,
        logger: Logger
    ) {
        self.shard = shard
        self.handler = handler
        self.policy = policy
        self.deadLetters = deadLetters
        self.clock = clock
        self.logger = logger
        batchSize = policy.size
    }

    func handle(_ records: [ConsumedRecord]) async throws -> String? {
        if kept.isEmpty { keptSince = clock.now }
        kept += records
        var finished: String?
        while kept.count >= policy.size { finished = try await run(kept.prefix(policy.size)) }
        if policy.window == .zero, !kept.isEmpty { finished = try await run(kept[...]) }
        return finished
    }

    func lookAtTime() async throws -> String? {
        guard !kept.isEmpty, clock.now - keptSince >= policy.window else { return nil }
        return try await run(kept[...])
    }

    func finish(_ ending: Ending) async throws -> String? {
        guard ending == .shardEnd, !kept.isEmpty else { return nil }
        return try await run(kept[...])
    }

    func abandon() async { kept = [] }

    private func run(_ batch: ArraySlice<ConsumedRecord>) async throws -> String? {
        let records = Array(batch)
        var attempt = 1
        while true {
            do {
                try await handler.handle(records, shard: shard, attempt: attempt)
                break
            } catch {
                try Task.checkCancellation()
                if let deadLetters, let limit = policy.maximumAttempts, attempt >= limit {
                    try await deadLetters.append(records, shard: shard.shard)
                    logger.error(
                        "a batch was given up to the dead-letter file",
                        metadata: metadata(error, attempt, records)
                    )
                    break
                }
                let pause = policy.backoff(failures: attempt)
                logger.warning("a batch failed; will try again", metadata: metadata(error, attempt, records))
                try await clock.sleep(for: pause)
                attempt += 1
            }
        }
        kept.removeFirst(records.count)
        keptSince = clock.now
        return records.last?.sequenceNumber
    }

    private func metadata(_ error: any Error, _ attempt: Int, _ records: [ConsumedRecord]) -> Logger.Metadata {
        [
            "shard": "\(shard.shard)", "attempt": "\(attempt)", "records": "\(records.count)",
            "first": "\(records.first?.sequenceNumber ?? "")", "error": "\(error)",
        ]
    }
}
