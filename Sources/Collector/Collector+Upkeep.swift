import Logging
import ShardLog
import StateStore
import StreamModel

/// What goes on without being asked: retention, producers' snapshots, shards that have expired.
extension Collector {
    /// Runs until cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepUpForever() }
            group.addTask { await self.scaleOnDemandStreams() }
        }
    }

    private func keepUpForever() async {
        while !Task.isCancelled {
            await keepUp()
            // A cancelled sleep ends the loop.
            try? await Task.sleep(for: .seconds(5))
        }
    }

    /// One round over all streams.
    func keepUp() async {
        for stream in streams.withLock({ Array($0.values) }) {
            do {
                try await keepUp(stream)
            } catch {
                logger.error(
                    "upkeep failed; it is tried again",
                    metadata: ["stream": "\(stream.key.row)", "error": "\(error)"]
                )
            }
        }
    }

    private func keepUp(_ stream: Stream) async throws {
        if stream.record.isUnfinished {
            try await stream.control.withLock { () async throws in
                // Somebody else may have finished it meanwhile, and its name may be another stream's.
                guard isCurrent(stream), stream.record.isUnfinished else { return }
                try await finish(stream)
            }
        }
        guard isCurrent(stream), stream.isServing else { return }
        let record = stream.record
        let horizon = now() - Int64(record.retentionHours) * 3_600_000
        // Snapshots come first: what is trimmed can't be read again to learn whose records it held.
        let isHourly = stream.isSnapshotDue(now: now())
        for writer in stream.routes.writers {
            writer.forgetProducers(silentSince: min(horizon, now() - 7 * 86_400_000))
            try await storeSnapshot(of: writer, every: isHourly ? 1 : Self.snapshotInterval)
        }
        try await trim(stream)
        try await dropExpired(stream, horizon)
    }

    private func trim(_ stream: Stream) async throws {
        let record = stream.record
        let horizon = now() - Int64(record.retentionHours) * 3_600_000
        for shard in record.shards.shards { try await log.trim(stream.ref(shard.id), arrivedBefore: horizon) }
    }

    /// Trims before the next round.
    func trimNow(_ stream: Stream) async {
        do {
            try await trim(stream)
        } catch {
            logger.error("a stream was not trimmed; it is tried again", metadata: ["error": "\(error)"])
        }
    }

    /// Closed shards go when their last record has left retention; the parents of a merge go together.
    private func dropExpired(_ stream: Stream, _ horizon: Int64) async throws {
        let shards = stream.record.shards.shards
        guard shards.contains(where: { !$0.isOpen }) else { return }
        var expired: Set<ShardID> = []
        for shard in shards where !shard.isOpen {
            guard let closed = shard.closed, closed < horizon else { continue }
            if try await log.bounds(stream.ref(shard.id)).last == nil { expired.insert(shard.id) }
        }
        let partners = shards.filter { $0.parents.count == 2 }.map(\.parents)
        for pair in partners where !pair.allSatisfy({ expired.contains($0) || stream.record.shards[$0] == nil }) {
            expired.subtract(pair)
        }
        if expired.isEmpty { return }
        let gone = expired
        try await stream.control.withLock { () async throws in
            var record = stream.record
            guard record.status == .active, record.reshard == nil else { return }
            for id in gone { record.shards.remove(id) }
            try await write(record, stream)
            for id in gone {
                stream.traffic.forget(id)
                try await log.delete(stream.ref(id))
                try await state.delete(StateKey("producers", stream.ref(id).description), if: .none)
            }
        }
    }

    private func storeSnapshot(of writer: ShardWriter, every bytes: Int) async throws {
        guard let snapshot = writer.snapshot(every: bytes) else { return }
        try await state.put(StateKey("producers", writer.ref.description), snapshot.value, if: .none)
        writer.snapshotStored(bytes: snapshot.bytes)
    }

    /// Writes what would otherwise be read back from the log at the next start.
    public func saveSnapshots() async {
        for stream in streams.withLock({ Array($0.values) }) {
            for writer in stream.routes.writers {
                do {
                    try await storeSnapshot(of: writer, every: 1)
                } catch {
                    logger.warning(
                        "a snapshot was not written; the log is read instead",
                        metadata: ["error": "\(error)"]
                    )
                }
            }
        }
    }
}
