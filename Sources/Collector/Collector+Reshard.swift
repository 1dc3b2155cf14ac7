import AWSProtocol
import KinesisTypes
import ShardLog
import StateStore
import StreamModel

/// SplitShard, MergeShards and UpdateShardCount.
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
        let asked = try SplitShardRequest(body: request.body, format: request.format)
        let (stream, shards) = try named([asked.shardToSplit], of: asked.stream, request)
        let (name, id) = (stream.key.name, shards[0])
        // One of 2^128 and more is as little inside a shard as the last key.
        let boundary = HashKey(decimal: asked.newStartingHashKey) ?? .max
        try await reshard(stream, request) { map, time throws(ReshardError) in
            _ = try map.split(id, at: boundary, now: time)
        } words: { error in
            switch error {
            case .badBoundary(let range):
                .invalidArgument(
                    "NewStartingHashKey \(asked.newStartingHashKey) used in SplitShard() on shard \(id) in stream \(name) under account "
                        + "\(configuration.account) is not both greater than one plus the shard's StartingHashKey "
                        + "\(range.start) and less than the shard's EndingHashKey \(range.end)."
                )
            default: words(error, name)
            }
        }
        return []
    }

    func mergeShards(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try MergeShardsRequest(body: request.body, format: request.format)
        let (stream, shards) = try named([asked.shardToMerge, asked.adjacentShardToMerge], of: asked.stream, request)
        let (name, lower, upper) = (stream.key.name, shards[0], shards[1])
        try await reshard(stream, request) { map, time throws(ReshardError) in
            _ = try map.merge(lower, with: upper, now: time)
        } words: { error in
            words(error, name)
        }
        return []
    }

    func updateShardCount(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try UpdateShardCountRequest(body: request.body, format: request.format)
        let stream = try stream(asked.stream, request)
        let name = stream.key.name
        var before = 0
        try await change(of: stream) { record throws(AWSError) in
            guard record.mode == .provisioned else { throw onDemand(name) }
            try requireActive(record)
            before = record.shards.open.count
            try checkCount(asked.target, before, record)
            var result = record.shards
            do throws(ReshardError) {
                // Beyond twice the count, which only a collector without AWS's quotas allows, in several steps.
                while result.open.count != asked.target {
                    try result.scale(to: min(asked.target, result.open.count * 2), now: now())
                }
            } catch {
                throw words(error, name)
            }
            record.settings.note(.shardCount, now: now())
            if asked.target != before { record.begin(result) }
        }
        await finishSoon(stream)
        return request.answer { json in
            json.name("StreamName")
            json.string(name)
            json.name("CurrentShardCount")
            json.integer(before)
            json.name("TargetShardCount")
            json.integer(asked.target)
            json.name("StreamARN")
            json.string(stream.record.arn(account: configuration.account))
        }
    }

    /// A stream, and shards that are named as it has them or not. AWS reads the names before it looks for the stream.
    private func named(
        _ names: [String],
        of reference: StreamReference,
        _ request: APIRequest
    ) throws(AWSError) -> (Stream, [ShardID]) {
        let found = Result { () throws(AWSError) in try stream(reference, request) }
        if case .failure(let error) = found, error.code != AWSError.notFound("").code { throw error }
        var shards: [ShardID] = []
        for name in names {
            guard let id = ShardID(lenient: name) else { throw unknownShard(name, reference.name) }
            shards.append(id)
        }
        return (try found.get(), shards)
    }

    private func checkCount(_ target: Int, _ open: Int, _ record: StreamRecord) throws(AWSError) {
        let counts = "Current open shard count: \(open) Target shard count: \(target)"
        let most = configuration.limits.map { min($0.shardsPerStream, $0.shards(in: record.key.region)) } ?? 10_000
        guard target <= most else {
            throw .limitExceeded(
                "Target shard count or number of open shards cannot be greater than \(most). Current open shard count: "
                    + "\(open), Target shard count: \(target)"
            )
        }
        guard configuration.limits != nil else { return }
        if target > open * 2 {
            throw .invalidArgument(
                "UpdateShardCount cannot scale up over double your current open shard count. \(counts)"
            )
        }
        if target * 2 < open {
            throw .invalidArgument(
                "UpdateShardCount cannot scale down below half your current open shard count. \(counts)"
            )
        }
        try checkQuota(of: .shardCount, "UpdateShardCount", record)
        try checkQuotas(record, from: open, to: target)
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

    /// Begins a reshard of a stream whose shards are its owner's to count.
    func reshard(
        _ stream: Stream,
        _ request: APIRequest,
        _ change: (inout ShardMap, Int64) throws(ReshardError) -> Void,
        words: (ReshardError) -> AWSError
    ) async throws(AWSError) {
        try await self.change(of: stream) { record throws(AWSError) in
            guard record.mode == .provisioned else { throw onDemand(record.key.name) }
            try requireActive(record)
            var result = record.shards
            do throws(ReshardError) {
                try change(&result, now())
            } catch {
                throw words(error)
            }
            let counts = [record.shards, result].map { $0.shards.count(where: \.isOpen) }
            try checkQuotas(record, from: counts[0], to: counts[1])
            record.begin(result)
        }
        await finishSoon(stream)
    }

    func onDemand(_ name: String) -> AWSError {
        .validation("Request is invalid. Stream \(name) under account \(configuration.account) is in On-Demand mode.")
    }

    /// Carries a begun reshard to its end. Every step can be repeated.
    func finishReshard(_ stream: Stream) async throws {
        var record = stream.record
        guard let reshard = record.reshard else { return }
        let children = reshard.result.shards.filter { shard in record.shards[shard.id] == nil }
        for child in children { try await log.create(stream.ref(child.id)) }
        // A shard that was only a step on the way of UpdateShardCount takes no records.
        for child in children where !child.isOpen { try await sealEmpty(stream.ref(child.id)) }

        var tables: [(range: HashRange, table: ProducerTable)] = []
        for id in reshard.parents {
            guard let parent = record.shards[id] else { continue }
            tables.append((parent.range, try await seal(parent, of: stream)))
        }
        let table = ProducerTable(inheriting: tables)
        for child in children where child.isOpen {
            let key = StateKey("producers", stream.ref(child.id).description)
            try await state.put(key, table.snapshot(at: 0), if: .none)
        }
        // The parents took records until now.
        var result = reshard.result
        result.retime(from: record.shards, now: now())
        record.shards = result
        record.status = .active
        record.reshard = nil
        let kept = stream.routes.writers.filter { !reshard.parents.contains($0.shard.id) }
        let added = result.shards.filter { shard in shard.isOpen && children.contains { $0.id == shard.id } }
            .map { ShardWriter(ref: stream.ref($0.id), shard: $0, traffic: stream.traffic[$0.id], now: now) }
        try await write(record, stream, routes: Routes(kept + added))
    }

    private func sealEmpty(_ ref: ShardRef) async throws {
        if try await log.bounds(ref).isClosed { return }
        try await log.openAppender(ref, expecting: nil).close()
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
