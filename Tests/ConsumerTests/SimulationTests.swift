import Testing

@testable import Consumer

private func world(seed: UInt64, shards: Int, workers: Int) -> SimulatedWorld {
    let world = SimulatedWorld(seed: seed)
    for _ in 0..<shards { world.stream.add() }
    for _ in 0..<workers { world.addWorker() }
    return world
}

private func loads(_ world: SimulatedWorld) -> [Int] {
    let rows = world.store.readAll().filter { $0.checkpoint != .shardEnd }
    return world.living.map { worker in rows.filter { $0.owner == worker.name }.count }
}

@Suite("Simulated workers of one application")
struct SimulationTests {
    @Test("the loads of living workers end up within one of each other", arguments: 0..<20)
    func balance(seed: UInt64) {
        let world = world(seed: seed, shards: 5 + Int(seed) % 13, workers: 1 + Int(seed) % 5)
        world.time.run(for: .seconds(240))
        let before = loads(world)
        #expect(before.reduce(0, +) == world.stream.shards.count)
        #expect(before.max().map { $0 - (before.min() ?? 0) <= 1 } == true, "seed \(seed): \(before)")
        world.addWorker()
        world.time.run(for: .seconds(240))
        let after = loads(world)
        #expect(after.reduce(0, +) == world.stream.shards.count)
        #expect(after.max().map { $0 - (after.min() ?? 0) <= 1 } == true, "seed \(seed): \(after)")
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations)")
    }

    @Test("a dead worker's shards are taken within the failover time and one interval", arguments: 0..<20)
    func failover(seed: UInt64) throws {
        let world = world(seed: seed, shards: 8, workers: 3)
        world.time.run(for: .seconds(120))
        let dead = try #require(world.living.randomElement(using: &world.random))
        let orphans = Set(world.store.readAll().filter { $0.owner == dead.name }.map(\.key))
        #expect(!orphans.isEmpty)
        dead.isAlive = false
        // A watcher sees the last renewal up to one interval late, and acts up to one interval after the expiry; calls take
        // up to a sixth of a second each.
        let bound = world.settings.failoverTime + world.settings.takeInterval * 2 + .seconds(1)
        world.time.run(for: bound)
        let left = world.store.readAll().filter { $0.owner == dead.name }
        #expect(left.isEmpty, "seed \(seed): \(left.map(\.key))")
        #expect(orphans.allSatisfy { !world.users(of: $0).isEmpty })
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations)")
    }

    @Test("a worker cut off from the table stops before another takes its leases", arguments: 0..<20)
    func partition(seed: UInt64) throws {
        let world = world(seed: seed, shards: 6, workers: 2)
        world.time.run(for: .seconds(120))
        let lonely = try #require(world.living.first)
        lonely.isCutOff = true
        world.time.run(for: .seconds(40))
        #expect(lonely.coordinator.heldKeys.isEmpty)
        #expect(!world.takeovers.isEmpty)
        lonely.isCutOff = false
        world.time.run(for: .seconds(120))
        #expect(loads(world) == [3, 3], "seed \(seed)")
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations)")
    }

    @Test("another worker leads after the leader's death, and makes the leases of new shards", arguments: 0..<10)
    func leaderTakeover(seed: UInt64) throws {
        let world = world(seed: seed, shards: 4, workers: 3)
        world.time.run(for: .seconds(60))
        let leaders = world.living.filter { $0.election.isLeader(now: world.time.now) }
        #expect(leaders.count == 1)
        leaders.first?.isAlive = false
        let added = world.stream.add()
        let settings = world.settings
        world.time.run(for: settings.leaderLeaseDuration + settings.leaderInterval * 3)
        #expect(world.living.filter { $0.election.isLeader(now: world.time.now) }.count == 1)
        #expect(world.store.read(added) != nil)
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations)")
    }

    @Test("splits, merges, deaths and lost calls never break order, and every record is handled", arguments: 0..<40)
    func everything(seed: UInt64) throws {
        let world = world(seed: seed, shards: 3, workers: 3)
        world.lossPerMille = Int(seed % 4) * 20
        for _ in 0..<60 {
            world.time.run(for: .seconds(5))
            for id in world.stream.open {
                for _ in 0..<Int.random(in: 0...12, using: &world.random) { world.stream.put(id) }
            }
            let open = world.stream.open
            switch Int.random(in: 0..<16, using: &world.random) {
            case 0: if open.count < 6, let id = open.randomElement(using: &world.random) { world.stream.split(id) }
            case 1: if open.count > 2 { world.stream.merge(open[0], open[1]) }
            case 2: if world.living.count > 1 { world.living.randomElement(using: &world.random)?.isAlive = false }
            case 3: if world.living.count < 5 { world.addWorker() }
            default: break
            }
        }
        world.lossPerMille = 0
        world.time.run(for: .seconds(600))
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations)")
        for shard in world.stream.shards.values {
            #expect(shard.finished.count == shard.records.count, "seed \(seed): \(shard.id)")
            if shard.isClosed {
                #expect(world.store.read(shard.id)?.checkpoint == .shardEnd, "seed \(seed): \(shard.id)")
            }
        }
    }
}
