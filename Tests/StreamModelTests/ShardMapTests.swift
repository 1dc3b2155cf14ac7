import StreamModel
import Testing

@Suite("shard maps")
struct ShardMapTests {
    @Test("three shards have the ranges AWS gives them")
    func three() {
        #expect(
            HashRange.uniform(3).map { "\($0.start)-\($0.end)" } == [
                "0-113427455640312821154458202477256070484",
                "113427455640312821154458202477256070485-226854911280625642308916404954512140969",
                "226854911280625642308916404954512140970-340282366920938463463374607431768211455",
            ]
        )
    }

    @Test("any sequence of splits and merges leaves every key with exactly one open shard")
    func coverage() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        var map = ShardMap(count: 3, created: 1000, now: 1_000_000)
        for step in 0..<400 {
            let open = map.open
            let at = Int(random.next() % UInt64(open.count))
            if random.next() % 2 == 0, let range = open[at].range as HashRange?, range.end.value - range.start.value > 4
            {
                let boundary = HashKey(
                    range.start.value + 2 + UInt128(random.next()) % (range.end.value - range.start.value - 2)
                )
                let children = try map.split(open[at].id, at: boundary, now: Int64(1_000_000 + step * 10))
                let parent = try #require(map[open[at].id]?.endingSequenceNumber)
                #expect(children.allSatisfy { $0.startingSequenceNumber > parent }, "seed \(seed)")
            } else if at + 1 < open.count {
                let child = try map.merge(open[at].id, with: open[at + 1].id, now: Int64(1_000_000 + step * 10))
                for parent in child.parents {
                    let end = try #require(map[parent]?.endingSequenceNumber)
                    #expect(child.startingSequenceNumber > end, "seed \(seed)")
                }
            }
            let ranges = map.open.map(\.range)
            #expect(ranges.first?.start == HashKey(0) && ranges.last?.end == .max, "seed \(seed)")
            for (low, high) in zip(ranges, ranges.dropFirst()) {
                #expect(low.end.value + 1 == high.start.value, "seed \(seed) step \(step)")
            }
        }
    }

    @Test(
        "scaling makes as many shards on the way as AWS does",
        arguments: [(2, 4, 6), (4, 5, 15), (10, 13, 37), (4, 2, 6), (5, 3, 7), (10, 3, 17)]
    )
    func scaling(from: Int, to: Int, total: Int) throws {
        var map = ShardMap(count: from, created: 1000, now: 1_000_000)
        try map.scale(to: to, now: 1_001_000)
        #expect(map.open.count == to)
        #expect(map.shards.count == total)
    }

    @Test(
        "where every wished-for boundary can be cut, scaling ends with equal ranges",
        arguments: [(2, 4), (4, 5), (4, 2)]
    )
    func uniform(from: Int, to: Int) throws {
        var map = ShardMap(count: from, created: 1000, now: 1_000_000)
        try map.scale(to: to, now: 1_001_000)
        #expect(map.open.map(\.range) == HashRange.uniform(to))
    }

    @Test("any sequence of scalings, splits and merges covers every key once, with whole lineage and rising numbers")
    func scalings() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        for _ in 0..<40 {
            var map = ShardMap(count: 1 + Int(random.next() % 6), created: 1000, now: 1_000_000)
            for step in 0..<12 {
                let (open, now) = (map.open, Int64(1_000_000 + step * 700))
                switch random.next() % 3 {
                case 0: try map.scale(to: 1 + Int(random.next() % UInt64(open.count * 2)), now: now)
                case 1:
                    let shard = open[Int(random.next() % UInt64(open.count))]
                    let half = shard.range.start.value + (shard.range.end.value - shard.range.start.value) / 2
                    _ = try map.split(shard.id, at: HashKey(half), now: now)
                default:
                    if open.count > 1 { _ = try map.merge(open[0].id, with: open[1].id, now: now) }
                }
                let ranges = map.open.map(\.range)
                #expect(ranges.first?.start == HashKey(0) && ranges.last?.end == .max, "seed \(seed)")
                #expect(
                    zip(ranges, ranges.dropFirst()).allSatisfy { $0.end.value + 1 == $1.start.value },
                    "seed \(seed)"
                )
            }
            for shard in map.shards {
                for parent in shard.parents {
                    let end = try #require(map[parent]?.endingSequenceNumber, "seed \(seed)")
                    #expect(shard.startingSequenceNumber > end, "seed \(seed)")
                }
                #expect(shard.isOpen == map.children(of: shard.id).isEmpty, "seed \(seed)")
            }
        }
    }

    @Test("a closed shard is not split or merged again")
    func closed() throws {
        var map = ShardMap(count: 2, created: 1000, now: 1_000_000)
        let middle = HashKey(map.shards[0].range.end.value / 2)
        _ = try map.split(ShardID(0), at: middle, now: 1_001_000)
        #expect(throws: ReshardError.closedShard(ShardID(0))) { try map.split(ShardID(0), at: middle, now: 1_002_000) }
        #expect(throws: ReshardError.closedShard(ShardID(0))) {
            try map.merge(ShardID(0), with: ShardID(1), now: 1_002_000)
        }
        #expect(throws: ReshardError.notAdjacent(ShardID(1), ShardID(3))) {
            try map.merge(ShardID(1), with: ShardID(3), now: 1_002_000)
        }
        #expect(throws: ReshardError.unknownShard(ShardID(9))) { try map.split(ShardID(9), at: middle, now: 1_002_000) }
    }

    @Test("shard names are read as leniently as AWS reads them", arguments: ["1", "shard-1", "shardId-000000000001"])
    func lenient(text: String) { #expect(ShardID(lenient: text)?.description == "shardId-000000000001") }

    @Test("text that is no index names no shard", arguments: ["", "shardId-", "shardId-x", "99999999999", "-"])
    func nonsense(text: String) { #expect(ShardID(lenient: text) == nil) }
}

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
