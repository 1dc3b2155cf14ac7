import AWSProtocol
import FirehoseTypes
import SinkFiles
import StateStore

/// A delivery stream's task, as others see it.
final class DeliveryWorker: Sendable {
    let key: StateKey
    let uid: String
    let monitor: DeliveryMonitor
    let mailbox = Mailbox()

    init(_ config: DeliveryConfig) {
        key = config.key
        uid = config.uid
        monitor = DeliveryMonitor(name: config.name, region: config.region)
    }
}

extension DeliveryService {
    private static let retryDelays = Duration.milliseconds(100)...Duration.seconds(10)
    /// How long a deleted delivery stream goes on delivering what was put before.
    private static let drainLimit = Duration.seconds(10)

    /// Delivers until the task is cancelled, which it then returns from; what is in an unfinished file is read again at the
    /// next start. Goes on after every error, with a growing pause of at most 10 s.
    public func run() async throws {
        let threads = DiskThreads(count: 4)
        defer { threads.stop() }
        await withDiscardingTaskGroup { group in
            var isFirst = true
            while !Task.isCancelled {
                let changes = state.watch(DeliveryConfig.namespace)
                do {
                    for entry in try await all() { see(entry, includesCreating: isFirst, on: threads, in: &group) }
                    isFirst = false
                    for await change in changes {
                        switch change {
                        case .put(let entry): see(entry, includesCreating: false, on: threads, in: &group)
                        case .delete(let key): forget(key)
                        }
                    }
                } catch {
                    logger.error("delivery streams can't be read; trying again", metadata: ["error": "\(error)"])
                }
                // A watch ends when it could not keep up, or the store is away.
                do { try await clock.sleep(Self.retryDelays.lowerBound) } catch { break }
            }
            group.cancelAll()
        }
    }

    private func all() async throws(StateStoreError) -> [StateEntry] {
        var entries: [StateEntry] = []
        var after: String?
        while true {
            let page = try await state.scan(DeliveryConfig.namespace, prefix: "", after: after, limit: 256)
            entries += page
            guard let last = page.last, page.count == 256 else { return entries }
            after = last.key.name
        }
    }

    /// Starts the delivery stream's task, or tells it of the change. One that is being created is left to whoever does
    /// that, but at the start, when nobody does.
    private func see(
        _ entry: StateEntry,
        includesCreating: Bool,
        on threads: DiskThreads,
        in group: inout DiscardingTaskGroup
    ) {
        let config: DeliveryConfig
        do throws(StateStoreError) {
            config = try DeliveryConfig(entry)
        } catch {
            return logger.error("a delivery stream can't be read", metadata: ["error": "\(error)"])
        }
        remember(config, entry.revision)
        if config.status == .creating, !includesCreating { return }
        let (worker, isNew) = running.withLock { running in
            if let worker = running[config.uid] { return (worker, false) }
            let worker = DeliveryWorker(config)
            running[config.uid] = worker
            return (worker, true)
        }
        guard isNew else { return worker.mailbox.post(.changed) }
        group.addTask(executorPreference: threads) { [self] in
            await supervise(worker)
            running.withLock { $0[worker.uid] = nil }
        }
    }

    /// Runs a delivery stream until it is deleted or the task is cancelled.
    private func supervise(_ worker: DeliveryWorker) async {
        var delay = Self.retryDelays.lowerBound
        var isOverdue = false
        while !Task.isCancelled {
            let files = worker.monitor.status(now: 0).filesFinalized
            do {
                guard try await step(worker, isOverdue: isOverdue) else { return }
                isOverdue = false
                delay = Self.retryDelays.lowerBound
            } catch is CancellationError {
                return
            } catch {
                if Task.isCancelled { return }
                if worker.monitor.status(now: 0).filesFinalized > files { delay = Self.retryDelays.lowerBound }
                worker.monitor.update { $0.lastError = "\(error)" }
                logger.error(
                    "delivery stopped; it goes on by itself",
                    metadata: ["deliveryStream": "\(worker.key.name)", "error": "\(error)", "retryIn": "\(delay)"]
                )
                isOverdue = true
                do { try await clock.sleep(delay) } catch { return }
                delay = min(delay * 2, Self.retryDelays.upperBound)
            }
        }
    }

    /// Does what the row asks for until that changes. False when the delivery stream is gone.
    private func step(_ worker: DeliveryWorker, isOverdue: Bool) async throws -> Bool {
        _ = worker.mailbox.take()
        guard let entry = try await state.get(worker.key) else { return false }
        let config = try DeliveryConfig(entry)
        guard config.uid == worker.uid else { return false }
        switch config.status {
        case .creating: try await finishCreating(config, entry.revision)
        case .active: try await deliver(config, worker, isOverdue: isOverdue, drainingFor: nil)
        case .deleting:
            let left = Self.drainLimit - .milliseconds(clock.now() - (config.deletedMilliseconds ?? 0))
            if left > .zero {
                try await deliver(config, worker, isOverdue: isOverdue, drainingFor: min(left, Self.drainLimit))
            }
            try await remove(config, entry.revision)
            return false
        }
        return true
    }

    private func deliver(
        _ config: DeliveryConfig,
        _ worker: DeliveryWorker,
        isOverdue: Bool,
        drainingFor limit: Duration?
    ) async throws {
        guard let stream = config.stream else {
            throw StateStoreError.corrupt("delivery stream row \(config.key): it is active but names no stream")
        }
        var run = DeliveryRun(
            config: config,
            stream: stream,
            access: access,
            progressStore: progressStore,
            folders: folders,
            clock: clock,
            monitor: worker.monitor,
            mailbox: worker.mailbox,
            logger: logger,
            isOverdue: isOverdue
        )
        do {
            _ = try await run.run(drainingFor: limit)
        } catch {
            do throws(SinkError) {
                try run.abandon()
            } catch let cleaning {
                logger.warning("an unfinished file stays until delivery goes on", metadata: ["error": "\(cleaning)"])
            }
            throw error
        }
    }

    /// Removes everything of a deleted delivery stream but its finished files. Each step may be repeated.
    private func remove(_ config: DeliveryConfig, _ revision: Revision) async throws {
        for bucket in config.formerBuckets + [config.destination.bucket] {
            do throws(SinkError) {
                try folders[bucket].sweep(owner: config.uid)
            } catch {
                logger.warning("unfinished files of a deleted delivery stream stay", metadata: ["error": "\(error)"])
            }
        }
        if config.source == nil, let stream = config.stream { try await access.deleteHiddenStream(stream) }
        try await progressStore.delete(config)
        try await state.delete(config.key, if: .revision(revision))
        forget(config.key)
    }
}
