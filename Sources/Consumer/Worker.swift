import Logging

/// One worker of an application: takes its share of the shards' leases, reads them, hands records to handlers, stores
/// checkpoints, and leads when chosen.
///
/// The decisions are ``LeaseCoordinator``, ``LeaderElection``, ``ShardSync`` and ``ShardConsumer``; this actor carries
/// them out and keeps the tasks.
public actor Worker {
    private struct Running {
        var life: LeaseCoordinator.Life
        var task: Task<Void, Never>
        var behind: Int64 = 0
    }

    let configuration: WorkerConfiguration
    let store: any LeaseStore
    let reader: any ShardReader
    let clock: any WorkerClock
    let logger: Logger
    private let handlers: any ShardHandlers
    private var coordinator: LeaseCoordinator
    var election: LeaderElection
    var syncIsDue = true
    private var running: [String: Running] = [:]
    private var waiting: [LeaseCoordinator.Life: CheckedContinuation<Bool, Never>] = [:]
    private(set) var isStopping = false
    private var failure: WorkerError?
    private var recordsHandled = 0
    private var batches = 0

    /// A worker that does nothing before ``run()``.
    public init(
        configuration: WorkerConfiguration,
        store: any LeaseStore,
        reader: any ShardReader,
        handlers: any ShardHandlers,
        clock: any WorkerClock = SystemWorkerClock(),
        random: SeededRandom = SeededRandom(),
        logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.reader = reader
        self.handlers = handlers
        self.clock = clock
        self.logger = logger
        var random = random
        let now = clock.now
        coordinator = LeaseCoordinator(
            worker: configuration.workerID,
            settings: configuration.leases,
            random: SeededRandom(seed: random.next()),
            now: now
        )
        election = LeaderElection(
            worker: configuration.workerID,
            leaseDuration: configuration.leases.leaderLeaseDuration,
            random: SeededRandom(seed: random.next()),
            now: now
        )
    }

    /// What this worker has done so far.
    public var progress: WorkerProgress {
        WorkerProgress(
            recordsHandled: recordsHandled,
            batches: batches,
            shardsOwned: coordinator.heldKeys.count,
            millisBehindLatest: running.values.map(\.behind).max() ?? 0,
            isLeader: election.isLeader(now: clock.now)
        )
    }

    /// Works until ``stop()``; then finishes or abandons what runs, stores what is finished and gives leases and leadership
    /// back. Throws ``WorkerError`` when it can't go on. Cancelling the task stops it too.
    public func run() async throws {
        try await prepare()
        let leading = Task { await lead() }
        while !isStopping, failure == nil, !Task.isCancelled {
            await tick()
        }
        isStopping = true
        leading.cancel()
        await leading.value
        await finish()
        if let failure { throw failure }
    }

    /// Asks for an orderly stop; ``run()`` returns when it is done.
    public func stop() { isStopping = true }

    private func prepare() async throws {
        var pause = Duration.milliseconds(250)
        while !isStopping, !Task.isCancelled {
            do {
                // The stream first: a mistyped name must not leave tables behind.
                _ = try await reader.shards()
                try await store.prepare()
                return
            } catch let error as WorkerError {
                throw error
            } catch ShardReadError.streamGone {
                throw WorkerError.streamGone(configuration.stream)
            } catch ShardReadError.refused(let reason) {
                throw WorkerError.refused(reason)
            } catch {
                logger.warning("the service can't be reached yet; will try again", metadata: ["error": "\(error)"])
                await rest(pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    private func tick() async {
        perform(coordinator.tick(now: clock.now))
        await rest(min(.milliseconds(250), configuration.leases.failoverTime / 40))
    }

    /// Pauses; a cancelled task doesn't pause, its loop ends by itself.
    func rest(_ duration: Duration) async {
        do { try await clock.sleep(for: duration) } catch { await Task.yield() }
    }

    private func finish() async {
        coordinator.beginStop()
        let deadline = clock.now + configuration.shutdownGrace
        // A new task: this one may be cancelled, and the end is to be orderly all the same.
        await Task { await drain(until: deadline) }.value
    }

    private func drain(until deadline: Duration) async {
        while !running.isEmpty, clock.now < deadline { await tick() }
        for (_, shard) in running {
            shard.task.cancel()
            waiting.removeValue(forKey: shard.life)?.resume(returning: false)
        }
        while !running.isEmpty { await tick() }
        let last = clock.now + min(.seconds(3), configuration.leases.failoverTime)
        while !coordinator.heldKeys.isEmpty, clock.now < last { await tick() }
        do {
            if let attempt = election.release() {
                _ = try await store.replaceLeader(attempt.expected, with: attempt.record)
            }
        } catch {
            logger.warning("leadership could not be given back; it will expire", metadata: ["error": "\(error)"])
        }
    }

    private func perform(_ actions: [LeaseCoordinator.Action]) {
        for action in actions {
            switch action {
            case .scan: Task { await scan() }
            case .write(let write): Task { await self.write(write) }
            case .reread(let write): Task { await reread(write) }
            case .start(let lease, let life): start(lease, life)
            case .stop(let key, let life, let reason):
                logger.notice("a lease is no longer held", metadata: ["shard": "\(key)", "reason": "\(reason)"])
                if let shard = running[key], shard.life == life { shard.task.cancel() }
                waiting.removeValue(forKey: life)?.resume(returning: false)
            case .stored(_, let life, _): waiting.removeValue(forKey: life)?.resume(returning: true)
            }
        }
    }

    private func scan() async {
        do {
            let leases = try await store.leases()
            if ShardSync.isOverdue(leases) { syncIsDue = true }
            perform(coordinator.scanned(leases, now: clock.now))
        } catch {
            logger.warning("leases could not be read; will try again", metadata: ["error": "\(error)"])
            perform(coordinator.scanned(nil, now: clock.now))
        }
    }

    private func write(_ write: LeaseCoordinator.Write) async {
        var outcome = LeaseCoordinator.Outcome.unknown
        do {
            let stored = try await store.update(write.key, counter: write.counter, write.change)
            outcome = stored ? .stored : .refused
        } catch {
            logger.warning(
                "a lease could not be written; will try again",
                metadata: ["shard": "\(write.key)", "error": "\(error)"]
            )
        }
        perform(coordinator.finished(write, outcome: outcome, now: clock.now))
    }

    private func reread(_ write: LeaseCoordinator.Write) async {
        var outcome: Lease?? = nil
        do {
            outcome = .some(try await store.lease(write.key))
        } catch {
            logger.warning(
                "a lease could not be read; will try again",
                metadata: ["shard": "\(write.key)", "error": "\(error)"]
            )
        }
        perform(coordinator.reread(write, outcome: outcome, now: clock.now))
    }

    private func start(_ lease: Lease, _ life: LeaseCoordinator.Life) {
        let key = lease.key
        logger.info("took a lease", metadata: ["shard": "\(key)", "checkpoint": "\(lease.checkpoint)"])
        let previous = running[key]?.task
        let shard = ShardTask(
            context: ShardContext(stream: configuration.stream, shard: key),
            store: store,
            reader: reader,
            handlers: handlers,
            links: links(key, life),
            clock: clock,
            settings: configuration.shards,
            logger: logger
        )
        let task = Task {
            // An earlier holding of the same lease must have let go of its handler.
            await previous?.value
            do {
                ended(key, life, try await shard.run(lease))
            } catch {
                ended(key, life, nil)
            }
        }
        running[key] = Running(life: life, task: task)
    }

    private func links(_ key: String, _ life: LeaseCoordinator.Life) -> ShardTask.Links {
        ShardTask.Links(
            store: { await self.store($0, $1, key, life) },
            isStopping: { await self.isStopping },
            pause: { try await self.pause($0) },
            progress: { await self.note(key, life, records: $0, behind: $1) }
        )
    }

    private func store(
        _ checkpoint: Checkpoint,
        _ children: Set<String>,
        _ key: String,
        _ life: LeaseCoordinator.Life
    ) async -> Bool {
        let now = clock.now
        guard coordinator.isUsable(key, life: life, now: now) else { return false }
        return await withCheckedContinuation { continuation in
            waiting[life] = continuation
            perform(coordinator.store(checkpoint, children: children, key: key, life: life, now: now))
        }
    }

    private func pause(_ duration: Duration) async throws {
        let end = clock.now + duration
        while !isStopping, clock.now < end { try await clock.sleep(for: min(.milliseconds(500), end - clock.now)) }
    }

    private func note(_ key: String, _ life: LeaseCoordinator.Life, records: Int, behind: Int64?) {
        recordsHandled += records
        if records > 0 { batches += 1 }
        if let behind, running[key]?.life == life { running[key]?.behind = behind }
    }

    private func ended(_ key: String, _ life: LeaseCoordinator.Life, _ result: ShardConsumer.Result?) {
        if running[key]?.life == life { running[key] = nil }
        if result == .streamGone { failure = failure ?? .streamGone(configuration.stream) }
        if result == .shardEnd {
            logger.info("a shard is handled to its end", metadata: ["shard": "\(key)"])
            syncIsDue = true
        }
        perform(coordinator.release(key, life: life, now: clock.now))
        coordinator.scanSoon(now: clock.now)
    }

    /// New leases are there: look at once.
    func leasesChanged() { coordinator.scanSoon(now: clock.now) }
}
