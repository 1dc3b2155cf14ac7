/// UpdateShardCount: uniform scaling.
///
/// Growing splits every open shard once, at the boundary of the wished-for layout that stands nearest to its middle, and
/// then merges neighbours until the count is right; shrinking only merges. That is how many shards AWS was seen to make on
/// the way (2 to 4: 6 in all, 4 to 5: 15, 10 to 13: 37, 5 to 3: 7, 10 to 3: 17), and where the wished-for boundaries are
/// among the cuts, the result is exactly uniform.
extension ShardMap {
    /// Changes the number of open shards; `now` is in milliseconds since 1970. At most doubles it: `count` is not above twice
    /// the number of open shards. A shard that is too narrow to be split stays whole, and the widest is split once more
    /// instead; throws when that is too narrow too.
    public mutating func scale(to count: Int, now: Int64) throws(ReshardError) {
        precondition(count > 0 && count <= open.count * 2)
        let boundaries = HashRange.uniform(count).dropFirst().map(\.start)
        if count > open.count {
            for shard in open where Self.width(shard) > 2 {
                _ = try split(shard.id, at: Self.cut(shard.range, near: boundaries), now: now)
            }
            while open.count < count, let widest = open.max(by: { Self.width($0) < Self.width($1) }) {
                _ = try split(widest.id, at: Self.cut(widest.range, near: []), now: now)
            }
        }
        try mergeNeighbours(towards: boundaries, now: now)
    }

    private static func width(_ shard: Shard) -> UInt128 { shard.range.end.value - shard.range.start.value }

    /// The wished-for boundary nearest to the range's middle, or the middle where there is none inside. One right at an edge is
    /// that edge, but for a client's way of rounding: cutting there would leave a shard of a few keys that can't be cut again.
    private static func cut(_ range: HashRange, near boundaries: [HashKey]) -> HashKey {
        let middle = range.start.value + (range.end.value - range.start.value) / 2 + 1
        let margin = Swift.max(1, (range.end.value - range.start.value) / 1024)
        func distance(_ key: HashKey) -> UInt128 { key.value > middle ? key.value - middle : middle - key.value }
        // Sorted: only the inner ones count.
        var (low, high) = (0, boundaries.count)
        while low < high {
            let at = (low + high) / 2
            if boundaries[at].value <= range.start.value + margin { low = at + 1 } else { high = at }
        }
        var best: HashKey?
        while low < boundaries.count, boundaries[low].value < range.end.value - margin + 1 {
            if best.map({ distance(boundaries[low]) < distance($0) }) ?? true { best = boundaries[low] }
            low += 1
        }
        return best ?? HashKey(middle)
    }

    /// Keeps of the cuts between open shards one per boundary, the nearest that leaves enough for the boundaries behind it;
    /// the others are merged away.
    private mutating func mergeNeighbours(towards boundaries: [HashKey], now: Int64) throws(ReshardError) {
        let pieces = open
        let cuts = pieces.dropFirst().map(\.range.start.value)
        var kept: Set<UInt128> = []
        var at = 0
        for (index, boundary) in boundaries.enumerated() {
            let last = cuts.count - (boundaries.count - index)
            while at < last, Self.isNearer(cuts[at + 1], than: cuts[at], to: boundary.value) { at += 1 }
            kept.insert(cuts[at])
            at += 1
        }
        guard var whole = pieces.first else { return }
        for piece in pieces.dropFirst() {
            if kept.contains(piece.range.start.value) {
                whole = piece
            } else {
                whole = try merge(whole.id, with: piece.id, now: now)
            }
        }
    }

    private static func isNearer(_ one: UInt128, than other: UInt128, to boundary: UInt128) -> Bool {
        func distance(_ key: UInt128) -> UInt128 { key > boundary ? key - boundary : boundary - key }
        return distance(one) < distance(other)
    }
}
