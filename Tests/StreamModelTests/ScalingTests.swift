import StreamModel
import Testing

/// An on-demand stream without a service: shards with real limits, samples and a real scaler, under any load, second by second.
private struct World {
    /// One record a millisecond, on average: its hash key and its size.
    typealias Load = (inout SplitMix) -> (key: UInt128, size: Int)

    var map = ShardMap(count: 4, created: 1, now: 0)
    var random: SplitMix
    private let limits = ShardLimits()
    private let rules = ScalingRules()
    private var scaler: ShardScaler
    private var allowances: [ShardID: WriteAllowance] = [:]
    private var samples: [ShardID: TrafficSample] = [:]
    private(set) var now: Int64 = 0
    /// Of the last second, of the records that were sent.
    private(set) var refused = 0
    /// Times that the shards changed.
    private(set) var changes = 0

    init(seed: UInt64) {
        random = SplitMix(state: seed)
        scaler = ShardScaler(rules)
    }

    var openCount: Int { map.open.count }

    /// One second of `perMillisecond` records of a load each millisecond; then the scaler looks.
    mutating func second(_ perMillisecond: Double, floor: Int = 4, _ load: Load) throws {
        var taken: [ShardID: (bytes: Int, records: Int)] = [:]
        let open = map.open
        refused = 0
        var owed = 0.0
        for _ in 0..<1000 {
            now += 1
            owed += perMillisecond
            while owed >= 1 {
                owed -= 1
                let (key, size) = load(&random)
                let shard = open.last { $0.range.start.value <= key }!
                guard allowances[shard.id, default: WriteAllowance()].take(record: size, limits, at: now) else {
                    refused += 1
                    continue
                }
                taken[shard.id, default: (0, 0)].bytes += size
                taken[shard.id]!.records += 1
                samples[shard.id, default: TrafficSample(stride: 8192, seed: UInt64(shard.id.index))]
                    .note(HashKey(key), weight: max(size, 1048))
            }
        }
        let looks = open.map { shard in
            let (bytes, records) = taken[shard.id] ?? (0, 0)
            return ShardScaler.Look(shard, load: max(Double(bytes) / 1_048_576, Double(records) / 1000))
        }
        let actions = scaler.look(looks, floor: floor) { samples[$0] }
        if !actions.isEmpty { changes += 1 }
        for action in actions {
            switch action {
            case .split(let id, let boundary): _ = try map.split(id, at: boundary, now: now)
            case .merge(let low, let high): _ = try map.merge(low, with: high, now: now)
            }
        }
    }
}

@Suite("On-demand scaling")
struct ScalingTests {
    private static let half = UInt128(1) << 127

    private static func anyKey(_ random: inout SplitMix) -> UInt128 {
        UInt128(random.next()) << 64 | UInt128(random.next())
    }

    @Test(
        "a hot quarter of a shard's range moves the cut to the median of the traffic",
        arguments: [1, 2, 3] as [UInt64]
    )
    func median(seed: UInt64) throws {
        var world = World(seed: seed)
        // All of it into the second quarter of shard 0, which has the first quarter of all keys.
        let (start, width) = (UInt128(1) << 124, UInt128(1) << 124)
        for _ in 0..<4 { try world.second(0.8) { (start + Self.anyKey(&$0) % width, 1024) } }
        #expect(world.openCount == 5)
        let cut = world.map.open[1].range.start.value
        #expect(cut > start + width / 10 * 4 && cut < start + width / 10 * 6, "cut at \(cut)")
    }

    @Test("a uniform load doubles the shards until it fits, within seconds, and then they stay")
    func uniform() throws {
        var world = World(seed: 4)
        for second in 1...30 {
            try world.second(6) { (Self.anyKey(&$0), 1024) }
            if second == 12 { #expect(world.openCount >= 8 && world.refused == 0) }
        }
        #expect((12...16).contains(world.openCount), "\(world.openCount) shards for 6 MiB/s")
        let changes = world.changes
        for _ in 0..<60 { try world.second(6) { (Self.anyKey(&$0), 1024) } }
        #expect(world.changes == changes)
    }

    @Test("the load gone, the shards merge back to the floor and no further", arguments: [4, 6])
    func cooling(floor: Int) throws {
        var world = World(seed: 5)
        for _ in 0..<30 { try world.second(10, floor: floor) { (Self.anyKey(&$0), 1024) } }
        #expect(world.openCount >= 16)
        for _ in 0..<59 { try world.second(0.01, floor: floor) { (Self.anyKey(&$0), 1024) } }
        #expect(world.openCount >= 16, "they wait for a minute")
        for _ in 0..<600 { try world.second(0.01, floor: floor) { (Self.anyKey(&$0), 1024) } }
        #expect(world.openCount == floor)
        if floor == 4 {
            // About where they began.
            for (shard, quarter) in zip(world.map.open, HashRange.uniform(4)) {
                let (here, there) = (shard.range.start.value >> 100, quarter.start.value >> 100)
                #expect(here.distance(to: there).magnitude < 1 << 25, "\(shard.range.start)")
            }
        }
    }

    @Test("a load that swings between the thresholds changes nothing")
    func hysteresis() throws {
        var world = World(seed: 6)
        for second in 0..<300 { try world.second(second % 20 < 10 ? 0.6 : 1.6) { (Self.anyKey(&$0), 1024) } }
        #expect(world.changes == 0)
    }

    @Test("a single hot key is left alone in its shard, and then nothing more is split")
    func hotKey() throws {
        var world = World(seed: 7)
        let hot = Self.half / 5 * 2
        for _ in 0..<60 {
            try world.second(1.2) { random in (random.next() % 4 > 0 ? hot : Self.anyKey(&random) / 4, 1024) }
        }
        let shard = try #require(world.map.open.last { $0.range.start.value <= hot })
        #expect(shard.range.end.value - shard.range.start.value < Self.half / 8, "its neighbours are elsewhere")
        let changes = world.changes
        #expect(changes <= 4)
        // Before its neighbours have been cold for a minute, and merge.
        for _ in 0..<40 { try world.second(1.2) { _ in (hot, 1024) } }
        #expect(world.changes == changes)
    }

    @Test("many small records make a shard hot as many bytes do")
    func small() throws {
        var world = World(seed: 8)
        for _ in 0..<4 { try world.second(2.6) { (Self.anyKey(&$0), 50) } }
        #expect(world.openCount == 8)
    }

    @Test("any loads in any order leave the shards covering every key once", arguments: 1...4)
    func anything(seed: Int) throws {
        var world = World(seed: UInt64(seed))
        for _ in 0..<12 {
            let rate = Double(world.random.next() % 50) / 10
            let (start, width) = (Self.anyKey(&world.random), Self.anyKey(&world.random) | 1)
            for _ in 0..<Int(world.random.next() % 70) {
                try world.second(rate) { (start &+ Self.anyKey(&$0) % width, 200 + Int($0.next() % 2000)) }
            }
        }
        let open = world.map.open
        #expect(open.first?.range.start == HashKey(0) && open.last?.range.end == .max)
        #expect(zip(open, open.dropFirst()).allSatisfy { $0.range.end.value + 1 == $1.range.start.value })
        #expect(open.count >= 4)
    }

    @Test("records in step with the sample's stride don't hide the other keys")
    func stride() {
        var sample = TrafficSample(stride: 8192, seed: 1)
        for index in 0..<40_000 {
            let key = UInt128(index % 4) * (Self.half / 2)
            sample.note(HashKey(key), weight: 2048)
        }
        let cut = sample.cut(of: .all)
        #expect((cut?.lighterShare ?? 0) > 0.4)
        #expect(cut.map { $0.boundary.value > Self.half / 2 && $0.boundary.value <= Self.half } == true)
    }

    @Test("a cut leaves both parts at least two keys", arguments: [0, 1, 2, 3, 4] as [UInt128])
    func narrow(more: UInt128) throws {
        let range = HashRange(start: HashKey(10), end: HashKey(10 + more))
        var sample = TrafficSample(stride: 2, seed: 1)
        for index in 0..<1000 {
            let key = UInt128(index) % (more + 1)
            sample.note(HashKey(10 + key), weight: 2)
        }
        guard let cut = sample.cut(of: range) else {
            #expect(more < 3)
            return
        }
        var map = ShardMap(count: 1, created: 1, now: 0)
        _ = try map.split(ShardID(0), at: HashKey(10), now: 0)
        let upper = map.open[1].id
        _ = try map.split(upper, at: HashKey(11 + more), now: 0)
        _ = try map.split(map.open[1].id, at: cut.boundary, now: 0)
    }
}
