import Testing

@testable import Consumer

@Suite("Leases")
struct LeaseTests {
    @Test("a lease survives its row")
    func roundTrip() {
        let lease = Lease(
            key: "shardId-000000000003",
            owner: "w",
            counter: 42,
            checkpoint: .sequence("49650000000000000000000000000000000000000000000000000012"),
            subSequenceNumber: 2,
            ownerSwitches: 3,
            parents: ["shardId-000000000001", "shardId-000000000002"],
            children: ["shardId-000000000004"],
            startingHashKey: "0",
            endingHashKey: "340282366920938463463374607431768211455",
            startingSequenceNumber: "4965",
            latestFrom: 1_795_000_000_123
        )
        #expect(Lease(item: lease.item) == lease)
        let plain = Lease(key: "a", checkpoint: .trimHorizon)
        #expect(Lease(item: plain.item) == plain)
        #expect(plain.item["leaseOwner"] == nil && plain.item["parentShardId"] == nil)
    }

    @Test("a row that is no lease is left alone")
    func otherRows() {
        var item = Lease(key: "a", checkpoint: .trimHorizon).item
        item["checkpoint"] = .string("NONSENSE")
        #expect(Lease(item: item) == nil)
        #expect(Lease(item: [:]) == nil)
    }

    @Test("a leader survives its row")
    func leader() {
        let record = LeaderRecord(owner: "w", leaseDuration: .seconds(30), version: "v")
        #expect(LeaderRecord(item: record.item) == record)
        #expect(record.item["leaseDuration"] == .string("30000"))
    }

    @Test("sequence numbers compare as numbers")
    func order() {
        #expect(SequenceOrder.isBefore("9", "10"))
        #expect(!SequenceOrder.isBefore("10", "9"))
        #expect(!SequenceOrder.isBefore("10", "10"))
    }

    @Test(
        "a conflict after a lost answer is recognised as this worker's own write, and the checkpoint is written again"
    )
    func lostAnswer() throws {
        let settings = LeaseSettings(failoverTime: .seconds(10))
        var coordinator = LeaseCoordinator(worker: "w", settings: settings, random: SeededRandom(seed: 1), now: .zero)
        var row = Lease(key: "a", checkpoint: .trimHorizon)
        _ = coordinator.tick(now: .zero)
        guard case .write(let take) = coordinator.scanned([row], now: .zero).first else { throw Unexpected() }
        row = take.change.applied(to: row)
        guard case .start(_, let life) = coordinator.finished(take, outcome: .stored, now: .zero).first else {
            throw Unexpected()
        }
        // The renewal reaches the table, its answer doesn't reach the worker.
        guard case .write(let renewal) = coordinator.tick(now: .seconds(4)).first else { throw Unexpected() }
        row = renewal.change.applied(to: row)
        #expect(coordinator.finished(renewal, outcome: .unknown, now: .seconds(5)).isEmpty)
        let asked = coordinator.store(.sequence("7"), key: "a", life: life, now: .seconds(5))
        guard case .write(let checkpoint) = asked.first else { throw Unexpected() }
        #expect(checkpoint.counter != row.counter)
        #expect(coordinator.finished(checkpoint, outcome: .refused, now: .seconds(5)) == [.reread(checkpoint)])
        guard case .write(let again) = coordinator.reread(checkpoint, outcome: .some(row), now: .seconds(5)).first
        else {
            throw Unexpected()
        }
        #expect(again.counter == row.counter)
        #expect(
            coordinator.finished(again, outcome: .stored, now: .seconds(5))
                == [.stored(key: "a", life: life, .sequence("7"))]
        )
        // Another owner in the row means that the lease is lost.
        guard case .write(let last) = coordinator.tick(now: .seconds(9)).first else { throw Unexpected() }
        row = LeaseChange.take(by: "thief", switches: 2).applied(to: again.change.applied(to: row))
        #expect(
            coordinator.reread(last, outcome: .some(row), now: .seconds(9)) == [.stop(key: "a", life: life, .lost)]
        )
    }

    private struct Unexpected: Error {}
}

@Suite("Keeping leases in step with shards")
struct ShardSyncTests {
    private let split = [
        ListedShard(id: "b", parents: ["a"]), ListedShard(id: "a", isClosed: true),
        ListedShard(id: "c", parents: ["a"]),
    ]

    @Test("parents' leases are made before their children's")
    func parentsFirst() {
        let plan = ShardSync.plan(shards: split, leases: [], position: .trimHorizon, now: 0)
        #expect(plan.create.map(\.key) == ["a", "b", "c"])
        #expect(plan.create.map(\.checkpoint) == [.trimHorizon, .trimHorizon, .trimHorizon])
    }

    @Test("under LATEST, shards closed before the application began are left out, and a reshard loses nothing")
    func latest() {
        let fresh = ShardSync.plan(shards: split, leases: [], position: .latest, now: 7)
        #expect(fresh.create.map(\.key) == ["b", "c"])
        #expect(fresh.create.map(\.checkpoint) == [.latest, .latest])
        #expect(fresh.create.map(\.latestFrom) == [7, 7])
        let next = split + [ListedShard(id: "d", parents: ["b"], isClosed: true), ListedShard(id: "e", parents: ["d"])]
        let later = ShardSync.plan(shards: next, leases: fresh.create, position: .latest, now: 7)
        #expect(later.create.map(\.key) == ["d", "e"])
        #expect(later.create.map(\.checkpoint) == [.trimHorizon, .trimHorizon])
        #expect(later.create.map(\.latestFrom) == [nil, nil])
    }

    @Test("every owner before the first checkpoint begins at the time that LATEST meant")
    func latestIsATime() {
        var consumer = ShardConsumer(lease: Lease(key: "b", checkpoint: .latest, latestFrom: 7))
        #expect(consumer.start() == .beginHandler)
        let row = Lease(key: "b", checkpoint: .latest, latestFrom: 7)
        #expect(consumer.handlerReady(row: row, batchSize: 1) == .open(.atTimestamp(7)))
        // A row of a KCL program doesn't say.
        var foreign = ShardConsumer(lease: Lease(key: "b", checkpoint: .latest))
        _ = foreign.start()
        #expect(foreign.handlerReady(row: Lease(key: "b", checkpoint: .latest), batchSize: 1) == .open(.latest))
    }

    @Test(
        "the lease of a stream that was made anew begins again, whatever it says, and only then",
        arguments: [Checkpoint.shardEnd, .sequence("7"), .trimHorizon]
    )
    func madeAnew(checkpoint: Checkpoint) {
        let lease = Lease(key: "a", checkpoint: checkpoint, startingSequenceNumber: "100")
        func plan(_ shard: ListedShard, _ lease: Lease) -> ShardSync.Plan {
            ShardSync.plan(shards: [shard], leases: [lease], position: .trimHorizon, now: 0)
        }
        let anew = plan(ListedShard(id: "a", startingSequenceNumber: "200"), lease)
        #expect(anew.restart.map(\.old) == [lease])
        #expect(anew.restart.map(\.new) == [Lease(key: "a", checkpoint: .trimHorizon, startingSequenceNumber: "200")])
        // An open shard whose lease is at its end is one that is being resharded, as a list that lags shows it.
        #expect(plan(ListedShard(id: "a", startingSequenceNumber: "100"), lease).restart.isEmpty)
        // A row of a KCL program doesn't say.
        let foreign = Lease(key: "a", checkpoint: checkpoint)
        #expect(plan(ListedShard(id: "a", startingSequenceNumber: "200"), foreign).restart.isEmpty)
    }

    @Test("a finished lease goes only when the shard has left and its children have started")
    func deletion() {
        let done = Lease(key: "a", checkpoint: .shardEnd, children: ["b"])
        let waiting = Lease(key: "b", checkpoint: .trimHorizon, parents: ["a"])
        let started = Lease(key: "b", checkpoint: .sequence("5"), parents: ["a"])
        let shards = [ListedShard(id: "b", parents: ["a"])]
        func deleted(_ leases: [Lease], _ shards: [ListedShard]) -> [String] {
            ShardSync.plan(shards: shards, leases: leases, position: .trimHorizon, now: 0).delete.map(\.key)
        }
        #expect(deleted([done, waiting], shards).isEmpty)
        #expect(deleted([done, started], shards + [ListedShard(id: "a", isClosed: true)]).isEmpty)
        #expect(deleted([done, started], shards) == ["a"])
    }

    @Test("a finished lease whose children have no leases asks for a sync")
    func overdue() {
        let done = Lease(key: "a", checkpoint: .shardEnd, children: ["b"])
        #expect(ShardSync.isOverdue([done]))
        #expect(!ShardSync.isOverdue([done, Lease(key: "b", checkpoint: .trimHorizon)]))
    }
}
