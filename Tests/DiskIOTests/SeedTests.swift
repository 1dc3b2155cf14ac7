import DiskIO
import Testing

@Suite("a seed")
struct SeedTests {
    /// Random work with faults and power cuts; returns all that came of it.
    private func work(_ disk: SimulatedDisk, seed: UInt64) -> [[UInt8]] {
        var random = Seeded(state: seed)
        var found: [[UInt8]] = []
        disk.setFaults(
            .init(write: 0.1, outOfSpace: 0.1, sync: 0.2, read: 0.1, syncFolder: 0.2, open: 0.1, move: 0.2, remove: 0.2)
        )
        for _ in 0..<200 {
            let (path, other) = ("/" + random.pick(["a", "b", "c"]), "/" + random.pick(["a", "b", "c"]))
            let step = random.below(7)
            let bytes = random.bytes(random.below(2000))
            let offset = UInt64(random.below(3000))
            do {
                switch step {
                case 0, 1, 2: try disk.open(path, .create).write(bytes, at: offset)
                case 3: try disk.open(path, .write).sync()
                case 4: try disk.syncFolder("/")
                case 5: try disk.move(path, to: other)
                default: disk.crash()
                }
            } catch {
                found.append(Array("\(error)".utf8))
            }
            for path in disk.paths { found += [Array(path.utf8), disk.durable(path) ?? []] }
        }
        return found + disk.trace.map { Array($0.utf8) }
    }

    @Test("the same seed and calls give the same disk, another seed another one")
    func repeatable() {
        for seed in UInt64(0)..<10 {
            let first = work(SimulatedDisk(seed: seed), seed: seed)
            #expect(first == work(SimulatedDisk(seed: seed), seed: seed), "seed \(seed)")
            #expect(first != work(SimulatedDisk(seed: seed + 100), seed: seed), "seed \(seed)")
        }
    }

    @Test("what strikes a file does not depend on the calls to another one")
    func independent() throws {
        func failures(besides count: Int) throws -> [Bool] {
            let disk = SimulatedDisk(seed: 4)
            let (file, other) = (try disk.open("/a", .create), try disk.open("/b", .create))
            disk.setFaults(.init(sync: 0.5))
            return (0..<100).map { _ in
                for _ in 0..<count { _ = number { try other.sync() } }
                return number { try file.sync() } != 0
            }
        }
        #expect(try failures(besides: 0) == failures(besides: 3))
    }

    @Test("many threads at once leave each file as its own writer wrote it")
    func threads() async throws {
        let disk = SimulatedDisk(seed: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in UInt8(0)..<8 {
                group.addTask {
                    let path = "/\(writer)"
                    let file = try disk.open(path, .createNew)
                    for index in 0..<200 {
                        try file.write([writer], at: UInt64(index))
                        if index % 10 == 0 { try file.sync() }
                        if index % 50 == 0 { try disk.syncFolder("/") }
                    }
                }
            }
            try await group.waitForAll()
        }
        for writer in UInt8(0)..<8 { #expect(try disk.bytes("/\(writer)") == [UInt8](repeating: writer, count: 200)) }
        #expect(disk.counters.writes == 1600 && disk.counters.bytesWritten == 1600 && disk.used == 1600)
        #expect(disk.counters.syncs == 160 && disk.counters.folderSyncs == 32)
    }
}
