import Logging

/// Carries out the steps of one ``ShardConsumer`` while this worker holds the lease.
///
/// Cancelling the task means that the lease is lost: the handler is abandoned and nothing more is stored.
struct ShardTask: Sendable {
    /// What the task asks of its worker.
    struct Links: Sendable {
        /// Stores a checkpoint; false when the lease is lost.
        var store: @Sendable (Checkpoint, Set<String>) async -> Bool
        /// Whether an orderly stop was asked for.
        var isStopping: @Sendable () async -> Bool
        /// Pauses; ends early when an orderly stop is asked for.
        var pause: @Sendable (Duration) async throws -> Void
        /// Takes note of records finished and the lag.
        var progress: @Sendable (_ records: Int, _ behind: Int64?) async -> Void
    }

    let context: ShardContext
    let store: any LeaseStore
    let reader: any ShardReader
    let handlers: any ShardHandlers
    let links: Links
    let clock: any WorkerClock
    let settings: ShardConsumer.Settings
    let logger: Logger

    /// Runs to the end. Throws `CancellationError` when the lease is lost.
    func run(_ lease: Lease) async throws -> ShardConsumer.Result {
        var consumer = ShardConsumer(lease: lease, settings: settings)
        var handler: (any ShardHandler)?
        var ahead: Prefetch?
        do {
            var step = consumer.start()
            while true {
                try Task.checkCancellation()
                if await links.isStopping() { consumer.stop() }
                if case .done(let result) = step {
                    ahead?.task.cancel()
                    return result
                }
                step = try await perform(step, &consumer, &handler, &ahead)
            }
        } catch {
            ahead?.task.cancel()
            await handler?.abandon()
            throw error
        }
    }

    private struct Prefetch {
        var iterator: String
        var task: Task<Result<RecordPage, ShardReadError>, Never>
    }

    private func perform(
        _ step: ShardConsumer.Step,
        _ consumer: inout ShardConsumer,
        _ handler: inout (any ShardHandler)?,
        _ ahead: inout Prefetch?
    ) async throws -> ShardConsumer.Step {
        switch step {
        case .lookAtParents(let parents):
            return consumer.parents(finished: await areFinished(parents))
        case .beginHandler:
            return await beginHandler(&consumer, &handler)
        case .open(let position):
            ahead?.task.cancel()
            ahead = nil
            let asked = clock.wallMilliseconds
            do throws(ShardReadError) {
                return consumer.opened(try await reader.iterator(shard: context.shard, at: position), askedAt: asked)
            } catch {
                return failed(error, &consumer)
            }
        case .read(let iterator, let limit):
            let page: Result<RecordPage, ShardReadError>
            if let ahead, ahead.iterator == iterator {
                page = await withTaskCancellationHandler {
                    await ahead.task.value
                } onCancel: {
                    ahead.task.cancel()
                }
            } else {
                page = await read(iterator, limit)
            }
            ahead = nil
            switch page {
            case .success(let page):
                await links.progress(0, page.millisBehindLatest)
                return consumer.read(page, limit: limit)
            case .failure(let error): return failed(error, &consumer)
            }
        case .handle(let records):
            if ahead == nil, let iterator = consumer.expectedRead {
                ahead = Prefetch(iterator: iterator, task: Task { await read(iterator, settings.readLimit) })
            }
            return try await ask(&consumer, &handler, count: records.count) { try await $0.handle(records) }
        case .lookAtTime:
            return try await ask(&consumer, &handler, count: 0) { try await $0.lookAtTime() }
        case .finish(let ending):
            return try await ask(&consumer, &handler, count: 0) { try await $0.finish(ending) }
        case .checkpoint(let checkpoint, let children):
            guard await links.store(checkpoint, children) else { throw CancellationError() }
            return consumer.stored()
        case .wait(let duration):
            try await links.pause(duration)
            return consumer.waited()
        case .done:
            return step
        }
    }

    private func read(_ iterator: String, _ limit: Int) async -> Result<RecordPage, ShardReadError> {
        do throws(ShardReadError) {
            return .success(try await reader.read(shard: context.shard, iterator: iterator, limit: limit))
        } catch {
            return .failure(error)
        }
    }

    private func ask(
        _ consumer: inout ShardConsumer,
        _ handler: inout (any ShardHandler)?,
        count: Int,
        _ call: (any ShardHandler) async throws -> String?
    ) async throws -> ShardConsumer.Step {
        guard let current = handler else { return consumer.handlerFailed() }
        do {
            let position = try await call(current)
            try Task.checkCancellation()
            if count > 0 { await links.progress(count, nil) }
            return consumer.handled(upTo: position)
        } catch {
            try Task.checkCancellation()
            handler = nil
            await current.abandon()
            logger.error(
                "handling records failed; will begin again at the checkpoint",
                metadata: ["shard": "\(context.shard)", "error": "\(error)"]
            )
            return consumer.handlerFailed()
        }
    }

    /// Begins a handler, then reads the row again: an earlier owner may have stored a checkpoint until this moment.
    private func beginHandler(
        _ consumer: inout ShardConsumer,
        _ handler: inout (any ShardHandler)?
    ) async -> ShardConsumer.Step {
        do {
            let begun = try await handlers.begin(context)
            handler = begun
            guard let row = try await store.lease(context.shard) else {
                throw ShardReadError.unavailable("the lease row is gone")
            }
            return consumer.handlerReady(row: row, batchSize: begun.batchSize)
        } catch {
            await handler?.abandon()
            handler = nil
            logger.warning(
                "a shard's handler could not begin; will try again",
                metadata: ["shard": "\(context.shard)", "error": "\(error)"]
            )
            return consumer.handlerFailed()
        }
    }

    private func areFinished(_ parents: Set<String>) async -> Bool {
        for parent in parents {
            do {
                if let row = try await store.lease(parent), row.checkpoint != .shardEnd { return false }
            } catch {
                logger.warning(
                    "a parent's lease could not be read; will try again",
                    metadata: ["shard": "\(context.shard)", "parent": "\(parent)", "error": "\(error)"]
                )
                return false
            }
        }
        return true
    }

    private func failed(_ error: ShardReadError, _ consumer: inout ShardConsumer) -> ShardConsumer.Step {
        let metadata: Logger.Metadata = ["shard": "\(context.shard)", "error": "\(error)"]
        switch error {
        case .iteratorExpired, .throttled: logger.debug("reading is delayed", metadata: metadata)
        case .shardGone: logger.notice("the shard has left the stream", metadata: metadata)
        case .streamGone: logger.error("the stream does not exist", metadata: metadata)
        case .positionRefused:
            logger.error(
                "the checkpoint is none of this shard's: was the stream deleted and made anew? Use another application name, or delete its lease table",
                metadata: metadata
            )
        case .unavailable, .refused: logger.warning("reading failed; will try again", metadata: metadata)
        }
        return consumer.failed(error)
    }
}
