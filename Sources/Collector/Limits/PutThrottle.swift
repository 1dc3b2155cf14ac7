import StreamModel

/// What holds for one put request: its stream's limits, at its time.
struct PutThrottle: Sendable {
    var limits: ShardLimits
    /// Whether the shards keep samples of their traffic: those of on-demand streams do.
    var isSampled: Bool
    /// Milliseconds since 1970.
    var now: Int64

    /// A record counts by its bytes, and at least by its share of the records that a second may have.
    var leastWeight: Int { max(1, limits.writeBytes.perSecond / max(1, limits.writeRecords.perSecond)) }

    /// A full sample is what a shard at half of its limit takes in four seconds.
    func newSample(seed: Int) -> TrafficSample {
        TrafficSample(
            stride: max(2, limits.writeBytes.perSecond * 2 / TrafficSample.capacity),
            seed: UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15
        )
    }
}
