import ShardLog
import StateStore
import Testing

@testable import Delivery

@Suite struct CrashTests {
    /// Each record once, and each shard's records in order: a file holds an unbroken run of them.
    private func check(_ world: World, expected: [String: Int], _ note: Comment) throws {
        var runs: [String: [ClosedRange<Int>]] = [:]
        for file in try world.lines() {
            var seen: [String: ClosedRange<Int>] = [:]
            for line in file {
                let parts = line.split(separator: " ")
                let number = try #require(Int(parts[1]), note)
                let shard = String(parts[0])
                if let run = seen[shard] {
                    #expect(number == run.upperBound + 1, note)
                    seen[shard] = run.lowerBound...number
                } else {
                    seen[shard] = number...number
                }
            }
            for (shard, run) in seen { runs[shard, default: []].append(run) }
        }
        for (shard, count) in expected {
            var next = 0
            for run in (runs[shard] ?? []).sorted(by: { $0.lowerBound < $1.lowerBound }) {
                #expect(run.lowerBound == next, note)
                next = run.upperBound + 1
            }
            #expect(next == count, note)
        }
    }

    @Test("killed at any step, it finishes each record once, in order", arguments: [false, true])
    func everyStep(appliesLastWrite: Bool) async throws {
        var deaths = 0
        for steps in 0..<200 {
            let world = try World()
            let stream = try await world.access.add("s", shards: 2)
            _ = try await world.service().call("CreateDeliveryStream", sourced())
            let life = Life(steps: steps)
            let mortal = world.service(life: life, appliesLastWrite: appliesLastWrite)
            world.append(stream, shard: 0, (0..<3).map { "a \($0)" })
            world.append(stream, shard: 1, (0..<2).map { "b \($0)" })
            _ = try await world.run(mortal) {
                mortal.status().first?.recordsDelivered == 5 || life.isDead
            }
            if !life.isDead {
                world.append(stream, shard: 0, (3..<5).map { "a \($0)" })
                _ = try await world.run(mortal) { mortal.status().first?.recordsDelivered == 7 || life.isDead }
            } else {
                world.append(stream, shard: 0, (3..<5).map { "a \($0)" })
            }
            let heir = world.service()
            let isWhole = try await world.run(heir) { heir.status().first?.recordsDelivered == 7 }
            #expect(isWhole, "step \(steps)")
            try check(world, expected: ["a": 5, "b": 2], "step \(steps)")
            #expect(world.files(finished: false) == [], "step \(steps)")
            if !life.isDead { break }
            deaths += 1
        }
        #expect(deaths > 25 && deaths < 200)
    }

    @Test("killed at random under load, with frames across files and a split, it finishes each record once")
    func random() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        let world = try World()
        let stream = try await world.access.add("s", shards: 2)
        _ = try await world.service().call("CreateDeliveryStream", sourced())
        var counts = ["0": 0, "1": 0, "2": 0, "3": 0]
        var total = 0
        func put(_ shard: Int, _ count: Int, _ generator: inout SplitMix) {
            let first = counts["\(shard)"] ?? 0
            let filler = String(repeating: "x", count: Int.random(in: 0..<200_000, using: &generator))
            world.append(stream, shard: UInt32(shard), (first..<first + count).map { "\(shard) \($0) \(filler)" })
            counts["\(shard)"] = first + count
            total += count
        }
        for round in 0..<60 {
            let shards = round < 20 ? [0, 1] : [1, 2, 3]
            if round == 20 { try await world.access.split("s", 0) }
            for shard in shards { put(shard, Int.random(in: 1...8, using: &generator), &generator) }
            let life = Life(steps: Int.random(in: 0..<60, using: &generator))
            let mortal = world.service(life: life, appliesLastWrite: Bool.random(using: &generator))
            _ = try await world.run(mortal) { [total] in
                life.isDead || mortal.status().first?.recordsDelivered == total
            }
        }
        let heir = world.service()
        let isWhole = try await world.run(heir) { [total] in heir.status().first?.recordsDelivered == total }
        #expect(isWhole, "seed \(seed)")
        try check(world, expected: counts, "seed \(seed)")
        #expect(world.files(finished: false) == [], "seed \(seed)")
        #expect(try world.contents().allSatisfy { $0.utf8.count < (1 << 20) + 200_020 }, "seed \(seed)")
    }

    @Test("with a store that loses writes and acknowledgements, it finishes each record once")
    func faultyStore() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let world = try World()
        let stream = try await world.access.add("s", shards: 1)
        _ = try await world.service().call("CreateDeliveryStream", sourced())
        let faulty = FaultyStateStore(
            world.state,
            seed: seed,
            rates: .init(unknownApplied: 0.15, unknownNotApplied: 0.1, unavailable: 0.1, delay: 0.3)
        )
        let service = world.service(store: faulty, hurry: 20)
        let task = Task { try await service.run() }
        for number in 0..<100 {
            world.append(stream, ["0 \(number)"])
            try await Task.sleep(for: .milliseconds(20))
        }
        faulty.setRates(.init())
        let start = ContinuousClock.now
        while service.status().first?.recordsDelivered != 100, start.duration(to: .now) < .seconds(15) {
            try await Task.sleep(for: .milliseconds(10))
        }
        task.cancel()
        try await task.value
        #expect(faulty.injectedErrors > 0, "seed \(seed)")
        try check(world, expected: ["0": 100], "seed \(seed)")
        #expect(world.files(finished: false) == [], "seed \(seed)")
    }
}

/// A generator that a seed repeats.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
