import StreamModel

/// What the scaling of on-demand streams remembers from one look to the next: per stream, its scaler and where its shards'
/// counters stood.
struct OnDemandScalers {
    private struct Known {
        var scaler: ShardScaler
        var time: Int64
        var loads: [ShardID: ShardTraffic.Load]
    }

    private let limits: ServiceLimits
    /// By the streams' incarnations.
    private var streams: [String: Known] = [:]

    init(_ limits: ServiceLimits) { self.limits = limits }

    /// Looks at one on-demand stream; returns what is to be done to its shards. Looks are at least half a second apart.
    mutating func look(at stream: Stream, _ record: StreamRecord, now: Int64) -> [ShardScaler.Action] {
        let open = record.shards.open
        let loads = Dictionary(uniqueKeysWithValues: open.map { ($0.id, stream.traffic[$0.id].load) })
        guard var known = streams[stream.uid], now >= known.time else {
            // What its shards took before is no load of now.
            streams[stream.uid] = Known(scaler: ShardScaler(limits.scaling), time: now, loads: loads)
            return []
        }
        let elapsed = now - known.time
        if elapsed < 500 { return [] }
        let looks = open.map { shard in
            let load = (loads[shard.id] ?? .init())
                .share(of: limits.shard, since: known.loads[shard.id] ?? .init(), milliseconds: elapsed)
            return ShardScaler.Look(shard, load: load)
        }
        let actions = known.scaler.look(looks, floor: record.leastShards(limits)) { stream.traffic[$0].sample }
        (known.time, known.loads) = (now, loads)
        streams[stream.uid] = known
        return actions
    }

    /// Forgets streams that are gone, or in provisioned mode.
    mutating func keep(only uids: Set<String>) {
        streams = streams.filter { uids.contains($0.key) }
    }
}

extension StreamRecord {
    /// Shards that an on-demand stream has at least: 4, or as many as it had when it was turned to the mode; and enough for the
    /// throughput that it is to be warm for.
    func leastShards(_ limits: ServiceLimits) -> Int {
        max(settings.onDemandFloor ?? 4, Self.shards(warmFor: settings.warmThroughput, limits))
    }

    /// Shards that take so many MiB a second, within reason; 0 for nil.
    static func shards(warmFor throughput: Int?, _ limits: ServiceLimits) -> Int {
        let rate = max(1, limits.shard.writeBytes.perSecond)
        return min(limits.scaling.warmShards, ((throughput ?? 0) << 20 + rate - 1) / rate)
    }
}
