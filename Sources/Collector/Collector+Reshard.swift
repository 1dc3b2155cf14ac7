import AWSProtocol
import KinesisTypes
import ShardLog
import StateStore
import StreamModel

/// SplitShard and MergeShards.
///
/// A reshard survives a crash at any step, because its row is written first:
///
///     row: UPDATING + reshard ─> children's logs ─> parents sealed ─> children's producers ─> row: ACTIVE, new map
///
/// Once the row stands, the client's request is accepted: what fails behind it is tried again by upkeep and at the start.
/// Puts meet a sealed parent, wait for `control`, and are routed again. Children appear in the same write that gives
/// their parents an end.
extension Collector {
    func splitShard(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try SplitShardRequest(body: request.body)
        let stream = try stream(asked.stream, request.region)
        let name = stream.key.name
        guard let id = ShardID(lenient: asked.shardToSplit) else { throw unknownShard(asked.shardToSplit, name) }
        guard let boundary = HashKey(decimal: asked.newStartingHashKey) else {
            throw .invalidArgument("NewStartingHashKey \(asked.newStartingHashKey) is not below 2^128.")
        }
        try await reshard(stream, parents: [id]) { map, seconds throws(ReshardError) in
            _ = try map.split(id, at: boundary, now: seconds)
        } words: { error in
            switch error {
            case .badBoundary(let range):
                .invalidArgument(
                    "NewStartingHashKey \(boundary) used in SplitShard() on shard \(id) in stream \(name) under account "
                        + "\(configuration.account) is not both greater than one plus the shard's StartingHashKey "
                        + "\(range.start) and less than the shard's EndingHashKey \(range.end)."
                )
            default: words(error, name)
            }
        }
        return []
    }

    func mergeShards(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try MergeShardsRequest(body: request.body)
        let stream = try stream(asked.stream, request.region)
        let name = stream.key.name
        guard let lower = ShardID(lenient: asked.shardToMerge) else { throw unknownShard(asked.shardToMerge, name) }
        guard let upper = ShardID(lenient: asked.adjacentShardToMerge) else {
            throw unknownShard(asked.adjacentShardToMerge, name)
        }
        try await reshard(stream, parents: [lower, upper]) { map, seconds throws(ReshardError) in
            _ = try map.merge(lower, with: upper, now: seconds)
        } words: { error in
            words(error, name)
        }
        return []
    }

    private func words(_ error: ReshardError, _ name: String) -> AWSError {
        switch error {
        case .unknownShard(let id): unknownShard(id.description, name)
        case .closedShard(let id):
            .invalidArgument(
                "Shard \(id) in stream \(name) under account \(configuration.account) has already been merged or split, "
                    + "and thus is not eligible for merging or splitting."
            )
        case .notAdjacent(let lower, let upper):
            .invalidArgument(
                "Shards \(lower) and \(upper) in stream \(name) under account \(configuration.account) are not an "
                    + "adjacent pair of shards eligible for merging"
            )
        case .badBoundary: .invalidArgument("The new hash key does not divide the shard's range.")
        }
    }

    private func reshard(
        _ stream: Stream,
        parents: [ShardID],
        _ change: (inout ShardMap, UInt64) throws(ReshardError) -> Void,
        words: (ReshardError) -> AWSError
    ) async throws(AWSError) {
        try await stream.control.withLock { () async throws(AWSError) in
            var record = stream.record
            guard record.mode == .provisioned else {
                throw .validation(
                    "Request is invalid. Stream \(stream.key.name) under account "
                        + "\(configuration.account) is in On-Demand mode."
                )
            }
            guard record.status == .active else {
                throw .inUse(
                    "Stream \(stream.key.name) under account \(configuration.account) not ACTIVE, instead in state "
                        + record.status.rawValue
                )
            }
            var result = record.shards
            do throws(ReshardError) {
                try change(&result, UInt64(now() / 1000))
            } catch {
                throw words(error)
            }
            record.status = .updating
            record.reshard = StreamRecord.Reshard(parents: parents, result: result)
            do throws(StateStoreError) {
                try await write(record, stream)
            } catch {
                throw failure(error)
            }
            await finishOrLeave(stream)
        }
    }

    /// Carries a begun reshard to its end. Every step can be repeated.
    func finishReshard(_ stream: Stream) async throws {
        var record = stream.record
        guard let reshard = record.reshard else { return }
        let children = reshard.result.shards.filter { shard in record.shards[shard.id] == nil }
        for child in children { try await log.create(stream.ref(child.id)) }

        var tables: [(range: HashRange, table: ProducerTable)] = []
        for id in reshard.parents {
            guard let parent = record.shards[id] else { continue }
            tables.append((parent.range, try await seal(parent, of: stream)))
        }
        let table = ProducerTable(inheriting: tables)
        for child in children {
            let key = StateKey("producers", stream.ref(child.id).description)
            try await state.put(key, table.snapshot(at: 0), if: .none)
        }
        record.shards = reshard.result
        record.status = .active
        record.reshard = nil
        let kept = stream.routes.writers.filter { !reshard.parents.contains($0.shard.id) }
        let added = children.map { ShardWriter(ref: stream.ref($0.id), shard: $0, now: now) }
        try await write(record, stream, routes: Routes(kept + added))
    }

    /// Closes a parent's log behind its last record; returns what it knows of producers.
    private func seal(_ parent: Shard, of stream: Stream) async throws -> ProducerTable {
        guard let writer = stream.routes.writers.first(where: { $0.shard.id == parent.id }) else {
            let ref = stream.ref(parent.id)
            return try await producers(of: ref, upTo: log.bounds(ref).tail).table
        }
        let bounds = try await log.bounds(writer.ref)
        if bounds.isClosed { return try await producers(of: writer.ref, upTo: bounds.tail).table }
        // The table in memory is right only if the log was opened by this writer.
        try await prepare(writer)
        do {
            return try await writer.close()
        } catch {
            writer.reopenAfterFailedClose()
            throw error
        }
    }
}
