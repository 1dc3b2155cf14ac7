import AWSProtocol
import KinesisTypes
import ShardLog
import StateStore
import StreamModel

/// How a change of a stream is begun and carried out.
///
/// A row says what is under way (CREATING, UPDATING, DELETING, a reshard, consumers that come or go), so what was begun is
/// finished after a crash too. It is carried out when the configured time has passed, so that clients see the states that
/// AWS shows them.
extension Collector {
    func isCurrent(_ stream: Stream) -> Bool { streams.withLock { $0[stream.key] === stream } }

    /// Changes the row, one change at a time per stream.
    func change(
        of stream: Stream,
        _ body: (inout StreamRecord) throws(AWSError) -> Void
    ) async throws(AWSError) {
        try await stream.control.withLock { () async throws(AWSError) in
            guard isCurrent(stream) else { throw notFound(stream.key.name) }
            var record = stream.record
            try body(&record)
            if record == stream.record { return }
            do throws(StateStoreError) {
                try await write(record, stream)
            } catch {
                throw failure(error)
            }
        }
    }

    /// Changes settings of an ACTIVE stream, which is UPDATING for a while then.
    func update(
        _ stream: Stream,
        _ body: (inout StreamRecord) throws(AWSError) -> Void
    ) async throws(AWSError) {
        try await change(of: stream) { record throws(AWSError) in
            try requireActive(record)
            try body(&record)
            record.status = .updating
        }
        await finishSoon(stream)
    }

    func requireActive(_ record: StreamRecord) throws(AWSError) {
        // A reshard that an on-demand stream began by itself and could not finish yet.
        let status = record.status == .active && record.reshard != nil ? .updating : record.status
        guard status != .active else { return }
        throw .inUse(
            "Stream \(record.key.name) under account \(configuration.account) not ACTIVE, instead in state "
                + status.rawValue
        )
    }

    /// Finishes what the row says is under way when the configured time has passed; at once when that is zero.
    func finishSoon(_ stream: Stream, atOnce: Bool = false) async {
        if atOnce || configuration.transition == .zero {
            await stream.control.withLock { await finishOrLeave(stream) }
            return
        }
        let transition = configuration.transition
        Task {
            // Never cancelled; what a stop interrupts is finished at the next start.
            try? await Task.sleep(for: transition)
            await stream.control.withLock {
                guard isCurrent(stream), stream.record.isUnfinished else { return }
                await finishOrLeave(stream)
            }
        }
    }

    /// What was accepted is carried out, now or by upkeep: the row is durable, so a client need not hear of the delay.
    private func finishOrLeave(_ stream: Stream) async {
        do {
            try await finish(stream)
        } catch {
            logger.error(
                "a change of a stream can't be finished now; it is tried again",
                metadata: ["stream": "\(stream.key.row)", "error": "\(error)"]
            )
        }
    }

    /// Finishes what a stream's row says is under way; called again until it succeeds. `control` is held, or nobody else
    /// knows the stream yet.
    func finish(_ stream: Stream) async throws {
        switch stream.record.status {
        case .deleting: return try await remove(stream)
        case .creating: try await finishCreating(stream)
        case .updating, .active:
            if stream.record.reshard != nil { try await finishReshard(stream) }
        }
        var record = stream.record
        record.status = .active
        record.consumers = record.consumers.compactMap { consumer in
            guard consumer.status != .deleting else { return nil }
            var consumer = consumer
            consumer.status = .active
            return consumer
        }
        if record != stream.record { try await write(record, stream) }
    }

    /// Throws when the stream has had the change as often as AWS allows it in 24 hours.
    func checkQuota(of change: StreamSettings.Change, _ name: String, _ record: StreamRecord) throws(AWSError) {
        guard configuration.limits != nil, record.settings.count(of: change, now: now()) >= change.perDay else {
            return
        }
        throw .limitExceeded(
            "\(name) exceeded the maximum of \(change.perDay) changes in 24 hours for stream \(record.key.name) under "
                + "account \(configuration.account)."
        )
    }
}
