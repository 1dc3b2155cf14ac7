import StreamModel
import Synchronization

/// What goes in and out of one shard: what its limits still allow, and what the scaling of on-demand streams looks at.
///
/// One small lock, taken once per request and shard; nothing is allocated but the sample of an on-demand stream's shard, once.
final class ShardTraffic: Sendable {
    private struct State {
        var write = WriteAllowance()
        var read = ReadAllowance()
        var iterators = TokenBucket()
        var admitted = Load()
        var sample: TrafficSample?
    }

    /// Sums since the shard is known.
    struct Load: Sendable {
        var bytes = 0
        var records = 0

        /// The greater share of the limits that was used since `before`.
        func share(of limits: ShardLimits, since before: Load, milliseconds: Int64) -> Double {
            guard milliseconds > 0 else { return 0 }
            let seconds = Double(milliseconds) / 1000
            return max(
                Double(bytes - before.bytes) / Double(limits.writeBytes.perSecond),
                Double(records - before.records) / Double(limits.writeRecords.perSecond)
            ) / seconds
        }
    }

    private let state = Mutex(State())
    let meters = ShardMeters()

    // MARK: - Writing

    /// Takes a request's records of this shard in their order, up to the first that is too much; returns how many.
    ///
    /// - Parameters:
    ///   - bytes: of data and keys, of all of them.
    ///   - size: one record's; asked for only when not all fit, or keys are sampled.
    ///   - key: one record's hash key; asked for only when keys are sampled.
    func admit(
        records count: Int,
        bytes: Int,
        _ throttle: PutThrottle,
        size: (Int) -> Int,
        key: (Int) -> HashKey
    ) -> Int {
        state.withLock { state in
            var taken = 0
            if state.write.take(records: count, bytes: bytes, throttle.limits, at: throttle.now) {
                taken = count
                state.admitted.bytes += bytes
            } else {
                while taken < count, state.write.take(record: size(taken), throttle.limits, at: throttle.now) {
                    state.admitted.bytes += size(taken)
                    taken += 1
                }
            }
            state.admitted.records += taken
            if throttle.isSampled, taken > 0 {
                let least = throttle.leastWeight
                if state.sample == nil { state.sample = throttle.newSample(seed: state.admitted.bytes) }
                for index in 0..<taken { state.sample!.note(key(index), weight: max(size(index), least)) }
            }
            return taken
        }
    }

    /// What it took so far.
    var load: Load { state.withLock { $0.admitted } }

    /// Where its latest records went; nil when none were sampled.
    var sample: TrafficSample? { state.withLock { $0.sample } }

    // MARK: - Reading

    /// Whether a GetRecords may begin now.
    func beginRead(_ limits: ShardLimits, at now: Int64) -> Bool {
        state.withLock { $0.read.begin(limits, at: now) }
    }

    /// A GetRecords answered so many bytes of data and keys.
    func endRead(bytes: Int, _ limits: ShardLimits, at now: Int64) {
        state.withLock { $0.read.end(bytes: bytes, limits, at: now) }
    }

    /// Whether a GetShardIterator may be answered now.
    func takeIterator(_ limits: ShardLimits, at now: Int64) -> Bool {
        state.withLock { $0.iterators.take(1, of: limits.iteratorCalls, at: now) }
    }
}
