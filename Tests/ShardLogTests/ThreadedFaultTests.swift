import Glibc
import Logging
import ShardLog
import Synchronization
import Testing

@testable import DiskIO
@testable import EmbeddedLog

/// What the simulation does on one thread, with all of the log's threads: a commit's files and its journal are written beside
/// each other and beside the settler. The order of things is the scheduler's, so a seed brings back its faults and no more.
@Suite("the embedded log's threads over a disk that fails")
struct ThreadedFaultTests {
    /// What a shard's writer was told. Frames arrive at the time that is their number.
    private struct Told {
        var acknowledged: [Int] = []
        /// Answered with `unknown`, or by a process that was dying.
        var maybe: Set<Int> = []
        /// What arrived before is trimmed, and what may be.
        var trimmed = 0
        var perhapsTrimmed = 0
        var next = 0

        /// What is wrong with what a restart found; nil when nothing is.
        func check(_ found: [Int]) -> String? {
            let there = Set(found)
            if found != there.sorted() { return "\(found) is out of order" }
            if let lost = acknowledged.first(where: { $0 >= perhapsTrimmed && !there.contains($0) }) {
                return "\(lost) was acknowledged and is lost"
            }
            if let back = found.first(where: { $0 < trimmed }) { return "\(back) was trimmed and is back" }
            let known = maybe.union(acknowledged)
            return found.first { !known.contains($0) }.map { "\($0) failed and is there" }
        }
    }

    /// Goes off in the midst of the 300th round of appends. What is answered from then on may have failed for this alone.
    private final class Power: Sendable {
        private let disk: SimulatedDisk
        private let used = Atomic(0)
        private let down = Atomic(false)

        init(_ disk: SimulatedDisk) { self.disk = disk }

        var isDown: Bool { down.load(ordering: .acquiring) }

        func use() {
            guard used.add(1, ordering: .relaxed).newValue == 300 else { return }
            down.store(true, ordering: .releasing)
            disk.crash()
        }
    }

    private static let shards = (0..<8).map { ShardRef(stream: "s-1", index: UInt32($0)) }

    private static func configuration(_ dice: inout Dice) -> EmbeddedLog.Configuration {
        var configuration = EmbeddedLog.Configuration(segmentBytes: dice.pick([1_500, 20_000]), openFileLimit: 4)
        configuration.syncThreads = 4
        configuration.directBytes = dice.pick([400, 1_000])
        configuration.applyBytes = dice.pick([1, 600])
        configuration.passingBytes = dice.pick([1, .max])
        configuration.memoryBytes = dice.pick([0, 20_000])
        configuration.journalFileBytes = dice.pick([500, 12_000])
        configuration.journalFiles = 1
        configuration.tightBytes = 0
        configuration.syncAllShards = dice.pick([1, 100])
        configuration.unmarkedBytes = 3_000
        return configuration
    }

    private static let faults = SimulatedDisk.Faults(
        write: 0.02,
        outOfSpace: 0.01,
        sync: 0.03,
        truncate: 0.02,
        syncFolder: 0.01,
        open: 0.01,
        move: 0.02,
        remove: 0.02
    )

    private static let seeds: ClosedRange<UInt64> = {
        let named = getenv("SIMULATION_SEEDS").map {
            String(cString: $0).split(separator: "-").compactMap { UInt64($0) }
        }
        guard let first = named?.first, let last = named?.last else { return 1...12 }
        return first...last
    }()

    @Test(
        "lose nothing that was acknowledged in a power cut, bring nothing back, and don't hang",
        .timeLimit(.minutes(10))
    )
    func powerCuts() async throws {
        var (acknowledged, failures) = (0, 0)
        for seed in Self.seeds {
            var dice = Dice(seed: seed)
            let disk = SimulatedDisk(seed: seed)
            let configuration = Self.configuration(&dice)
            var told = [Told](repeating: Told(), count: Self.shards.count)
            for life in 0..<5 {
                disk.setFaults(SimulatedDisk.Faults())
                let log = try EmbeddedLog.open(
                    directory: "/log",
                    disk: disk.process(),
                    configuration: configuration,
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                )
                for (index, shard) in Self.shards.enumerated() {
                    try log.create(shard)
                    let found = try await log.readAll(shard).map(\.number)
                    if let wrong = told[index].check(found) {
                        Issue.record("seed \(seed), life \(life), \(shard): \(wrong)")
                    }
                    // What it was not told of is there now, or gone for good.
                    told[index].acknowledged = found
                    told[index].maybe = []
                    acknowledged += found.count
                }
                disk.setFaults(Self.faults)
                told = await Self.live(log, disk, told, seed: seed &* 31 &+ UInt64(life))
                await log.close()
            }
            failures += disk.counters.faults
        }
        print("threads over a failing disk: seeds \(Self.seeds), \(acknowledged) frames found, \(failures) faults")
        #expect(acknowledged > Self.seeds.count * 100)
        #expect(failures > Self.seeds.count * 10)
    }

    /// All shards are written at once; then the power goes, in the midst of it.
    private static func live(_ log: EmbeddedLog, _ disk: SimulatedDisk, _ told: [Told], seed: UInt64) async -> [Told] {
        let power = Power(disk)
        return await withTaskGroup(of: (Int, Told).self) { group in
            for index in shards.indices {
                group.addTask {
                    var dice = Dice(seed: seed &* 131 &+ UInt64(index))
                    var told = told[index]
                    for _ in 0..<60 where !power.isDown {
                        await write(to: log, index, &told, &dice, power)
                    }
                    return (index, told)
                }
            }
            var all = told
            for await (index, known) in group { all[index] = known }
            return all
        }
    }

    /// Appends until something fails, some frames at a time.
    private static func write(
        to log: EmbeddedLog,
        _ index: Int,
        _ told: inout Told,
        _ dice: inout Dice,
        _ power: Power
    ) async {
        power.use()
        var asked: [Int] = []
        do {
            let appender = try await log.openAppender(shards[index], expecting: nil)
            for _ in 0..<dice.pick([1, 3, 8]) {
                asked = Array(told.next..<told.next + dice.pick([1, 1, 3]))
                told.next += asked.count
                let size = dice.pick([20, 300, 1_200])
                _ = try await appender.append(asked.map { frame($0, bytes: size, arrival: Int64($0)) })
                told.acknowledged += asked
                asked = []
            }
            guard dice.happens(0.2), let before = told.acknowledged.suffix(10).first else { return }
            told.perhapsTrimmed = max(told.perhapsTrimmed, before)
            try await log.trim(shards[index], arrivedBefore: Int64(before))
            told.trimmed = max(told.trimmed, before)
        } catch {
            if case .unknown? = error as? ShardLogError { told.maybe.formUnion(asked) }
            if power.isDown { told.maybe.formUnion(asked) }
        }
    }
}
