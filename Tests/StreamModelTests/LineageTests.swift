import StreamModel
import Testing

/// Strategy: random lists of splits at any key, merges of any neighbours, scalings to any count, by a clock that stands still,
/// jumps, and goes back. After each list the whole history is checked, not only its end.
///
/// Invariants: the open shards cover every key once · a closed shard's children cover what it covered, and no more than its
/// neighbour's besides · a child's numbers sort above its parents' last, and those above all of the parent's own · indices
/// count up · as long as the clock did not go back, the shards of any past moment cover every key once.
@Suite("lineage")
struct LineageTests {
    /// A random history.
    private struct History {
        var random: SplitMix
        var map: ShardMap
        var now: Int64 = 1_700_000_000_000
        /// Every moment at which something was done.
        var moments: [Int64]

        init(seed: UInt64) {
            random = SplitMix(state: seed)
            map = ShardMap(count: 1 + Int(random.next() % 5), created: UInt64(now) / 1000, now: now)
            moments = [now]
        }

        func below(_ bound: Int, _ random: inout SplitMix) -> Int { Int(random.next() % UInt64(bound)) }

        mutating func step(clock: [Int64]) throws {
            now += clock[below(clock.count, &random)]
            moments.append(now)
            let open = map.open
            switch random.next() % 5 {
            case 0, 1:
                let shard = open[below(open.count, &random)]
                let room = shard.range.end.value - shard.range.start.value
                guard room > 3 else { return }
                // The first and the last key that AWS allows, or any between them.
                let offset = [2, room - 1, 2 + UInt128(random.next()) % (room - 2)][below(3, &random)]
                _ = try map.split(shard.id, at: HashKey(shard.range.start.value + offset), now: now)
            case 2, 3:
                guard open.count > 1 else { return }
                let at = below(open.count - 1, &random)
                _ = try map.merge(open[at].id, with: open[at + 1].id, now: now)
            default:
                try map.scale(to: 1 + below(open.count * 2, &random), now: now)
            }
        }
    }

    private func isCover(_ shards: some Sequence<Shard>) -> Bool {
        let ranges = shards.map(\.range).sorted { $0.start < $1.start }
        guard let first = ranges.first, let last = ranges.last else { return false }
        let touch = zip(ranges, ranges.dropFirst()).allSatisfy { $0.end.value + 1 == $1.start.value }
        return first.start == HashKey(0) && last.end == .max && touch
    }

    private func checkLineage(_ map: ShardMap, _ comment: Comment) throws {
        #expect(isCover(map.open), comment)
        #expect(map.shards.map(\.id.index) == Array(0..<map.nextIndex), comment)
        for shard in map.shards {
            let children = map.children(of: shard.id).sorted { $0.range.start < $1.range.start }
            #expect(shard.isOpen == children.isEmpty, comment)
            if children.count == 2 {
                #expect(children[0].range.start == shard.range.start, comment)
                #expect(children[0].range.end.value + 1 == children[1].range.start.value, comment)
                #expect(children[1].range.end == shard.range.end, comment)
                #expect(children.allSatisfy { $0.parents == [shard.id] }, comment)
            } else if let child = children.first {
                let parents = try child.parents.map { try #require(map[$0], comment) }
                #expect(children.count == 1 && parents.count == 2, comment)
                #expect(child.range.start == parents[0].range.start, comment)
                #expect(parents[0].range.end.value + 1 == parents[1].range.start.value, comment)
                #expect(child.range.end == parents[1].range.end, comment)
            }
            guard let end = shard.endingSequenceNumber else { continue }
            #expect(shard.startingSequenceNumber < end, comment)
            for child in children {
                #expect(child.startingSequenceNumber > end, comment)
                #expect(child.id > shard.id, comment)
            }
        }
    }

    @Test("every history of splits, merges and scalings keeps cover, lineage and order, whatever the clock does")
    func anyClock() throws {
        let seed = UInt64.random(in: .min ... .max)
        for run in 0..<60 {
            var history = History(seed: seed &+ UInt64(run))
            for _ in 0..<25 { try history.step(clock: [0, 0, 1, 400, 5000, -1, -3000, 90_000_000]) }
            try checkLineage(history.map, "seed \(seed) run \(run)")
        }
    }

    @Test("scaling cuts no slivers beside boundaries that were rounded otherwise, and leaves narrow shards whole")
    func slivers() throws {
        // Three shards whose middle one begins at 3/6 of the keys: two less than 1/2, which four shards wish for.
        var map = ShardMap(count: 6, created: 1000, now: 1_000_000)
        for pair in [[0, 1], [4, 5]] {
            _ = try map.merge(ShardID(UInt32(pair[0])), with: ShardID(UInt32(pair[1])), now: 1_001_000)
        }
        _ = try map.merge(ShardID(6), with: ShardID(2), now: 1_002_000)
        #expect(map.open.count == 3)
        try map.scale(to: 4, now: 1_003_000)
        let widths = map.open.map { $0.range.end.value - $0.range.start.value }
        #expect(map.open.count == 4 && widths.allSatisfy { $0 > UInt128(1) << 120 })

        // A shard of two keys, that a user made.
        map = ShardMap(count: 1, created: 1000, now: 1_000_000)
        _ = try map.split(ShardID(0), at: HashKey(2), now: 1_001_000)
        try map.scale(to: 4, now: 1_002_000)
        #expect(map.open.count == 4)
        try checkLineage(map, "a narrow shard")
    }

    @Test("the shards of every past moment covered every key")
    func everyMoment() throws {
        let seed = UInt64.random(in: .min ... .max)
        for run in 0..<40 {
            var history = History(seed: seed &+ UInt64(run))
            for _ in 0..<20 { try history.step(clock: [0, 1, 2, 999, 60_000]) }
            for moment in history.moments {
                // A shard lives from its opening up to its closing; one that did both in one moment never was.
                let living = history.map.shards.filter { $0.opened <= moment && moment < $0.closed ?? .max }
                #expect(isCover(living), "seed \(seed) run \(run) moment \(moment)")
            }
        }
    }
}
