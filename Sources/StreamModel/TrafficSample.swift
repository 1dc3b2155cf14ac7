/// Which hash keys a shard's traffic goes to: a sample of its latest records, each as likely to be in it as it is heavy.
///
/// Every `stride` units of weight, give or take half of it at random, the record that passes by is kept in a ring. So the ring
/// always holds the latest traffic, a record of a stride's weight costs a few nanoseconds whatever the number of keys, and a
/// key with a share s of the traffic has about s × 256 places in it: the median is found to a few per cent, and a single hot key
/// is told from many. 4 KiB, taken at the first record.
public struct TrafficSample: Sendable {
    /// Places in the ring.
    public static let capacity = 256

    /// Weight per kept key: bytes, for one.
    public let stride: Int
    private var keys: [HashKey] = []
    private var next = 0
    /// Weight that passes by before the next key is kept.
    private var gap: Int
    private var random: UInt64

    /// Empty. `seed` decides which keys are kept.
    public init(stride: Int, seed: UInt64) {
        precondition(stride > 1)
        self.stride = stride
        random = seed | 1
        gap = stride / 2
    }

    /// Keys that are kept now.
    public var count: Int { keys.count }

    /// A record passes by.
    @inline(__always)
    public mutating func note(_ key: HashKey, weight: Int) {
        gap -= weight
        if gap <= 0 { keep(key) }
    }

    private mutating func keep(_ key: HashKey) {
        // A record of several strides' weight has that many places.
        while gap <= 0 {
            if keys.count < Self.capacity {
                if keys.isEmpty { keys.reserveCapacity(Self.capacity) }
                keys.append(key)
            } else {
                keys[next] = key
                next = (next + 1) % Self.capacity
            }
            // xorshift64 (Marsaglia, 2003): records of equal weight in a fixed order of keys must not fall in step with the
            // stride.
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            gap += stride / 2 + Int(truncatingIfNeeded: random >> 33) % stride
        }
    }

    /// Where to cut a shard of this traffic in two.
    public struct Cut: Sendable, Equatable {
        /// The first key of the upper part.
        public var boundary: HashKey
        /// The share of the traffic that the lighter part has, 0 to 0.5.
        public var lighterShare: Double
    }

    /// The cut of a range that comes nearest to halving the traffic; nil when there is none that leaves either part any of it,
    /// as with a single key. Both parts keep at least two keys, as SplitShard demands.
    ///
    /// Between two neighbouring keys of the sample the cut stands in the middle. A key with more than half of the traffic ends
    /// up at the edge of its part, so the second cut leaves it alone with itself.
    public func cut(of range: HashRange) -> Cut? {
        let sorted = keys.filter { range.contains($0) }.map(\.value).sorted()
        guard range.end.value - range.start.value >= 3, sorted.count > 1 else { return nil }
        let bounds = range.start.value + 2...range.end.value - 1
        var best: Cut?
        for index in 1..<sorted.count where sorted[index] > sorted[index - 1] {
            let (low, high) = (sorted[index - 1], sorted[index])
            // In (low, high]: `low` belongs to the lower part and `high` to the upper one.
            let possible =
                max(low + 1, bounds.lowerBound)...max(max(low + 1, bounds.lowerBound), min(high, bounds.upperBound))
            let middle = low + (high - low) / 2 + 1
            let boundary = min(max(middle, possible.lowerBound), possible.upperBound)
            guard low < boundary, boundary <= high, bounds.contains(boundary) else { continue }
            let share = Double(min(index, sorted.count - index)) / Double(sorted.count)
            if share > best?.lighterShare ?? 0 { best = Cut(boundary: HashKey(boundary), lighterShare: share) }
        }
        return best
    }
}
