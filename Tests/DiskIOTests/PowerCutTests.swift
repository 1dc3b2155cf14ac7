import DiskIO
import Glibc
import Testing

@Suite("a power cut")
struct PowerCutTests {
    /// A disk with an empty, durable file "/a".
    private func diskWithFile(_ seed: UInt64) throws -> (SimulatedDisk, any DiskFile) {
        let disk = SimulatedDisk(seed: seed)
        let file = try disk.open("/a", .createNew)
        try disk.syncFolder("/")
        return (disk, file)
    }

    @Test("synced bytes survive, whatever was written behind them")
    func syncedSurvives() throws {
        for seed in UInt64(0)..<300 {
            let (disk, file) = try diskWithFile(seed)
            let kept = [UInt8](repeating: 1, count: 5000)
            try file.write(kept, at: 0)
            try file.sync()
            for round in 0..<5 { try file.write([UInt8](repeating: 2, count: 900), at: UInt64(5000 + round * 900)) }
            disk.crash()
            #expect(try disk.bytes("/a").prefix(5000) == kept[...], "seed \(seed)")
        }
    }

    @Test("unsynced writes are kept, lost, torn at sectors, reordered, and the file's end may be zeros")
    func unsyncedFates() throws {
        var seen = Seen()
        for seed in UInt64(0)..<300 {
            let (disk, file) = try diskWithFile(seed)
            // Four writes of two sectors each.
            for number in 0..<4 {
                try file.write([UInt8](repeating: UInt8(number + 1), count: 1024), at: UInt64(number * 1024))
            }
            disk.crash()
            let bytes = try disk.bytes("/a")
            let sectors = stride(from: 0, to: bytes.count, by: 512).map {
                Array(bytes[$0..<min($0 + 512, bytes.count)])
            }
            var isKept = [Bool](repeating: false, count: 8)
            for (index, sector) in sectors.enumerated() {
                try #require(sector.count == 512, "seed \(seed): torn inside of a sector")
                let value = UInt8(index / 2 + 1)
                try #require(sector == Array(repeating: value, count: 512) || sector == Array(repeating: 0, count: 512))
                isKept[index] = sector[0] == value
            }
            let writes = (0..<4).map { (isKept[$0 * 2], isKept[$0 * 2 + 1]) }
            if isKept.allSatisfy(\.self) { seen.note("kept") }
            if !isKept.contains(true) { seen.note("lost") }
            if !isKept.contains(true), bytes.count == 4096 { seen.note("only zeros") }
            if writes.contains(where: { $0.0 && !$0.1 }) { seen.note("torn") }
            if writes.contains(where: { !$0.0 && $0.1 }) { seen.note("torn at the front") }
            if !writes[0].0, !writes[0].1, writes[2...].contains(where: { $0.0 && $0.1 }) { seen.note("reordered") }
            if bytes.count < 4096, bytes.count % 1024 == 512 { seen.note("ends inside of a write") }
            if sectors.count == isKept.filter(\.self).count, (1..<8).contains(sectors.count) { seen.note("in order") }
        }
        #expect(
            seen.all(
                "kept",
                "lost",
                "only zeros",
                "torn",
                "torn at the front",
                "reordered",
                "ends inside of a write",
                "in order"
            ),
            "\(seen.counts)"
        )
    }

    @Test("a sector holds what the file held at some moment: of writes into one sector the first ones survive")
    func oneSector() throws {
        var found: Set<[UInt8]> = []
        for seed in UInt64(0)..<300 {
            let (disk, file) = try diskWithFile(seed)
            for number in 0..<4 { try file.write([UInt8(number + 1)], at: UInt64(number)) }
            disk.crash()
            let bytes = try disk.bytes("/a")
            let kept = Array(bytes.prefix { $0 != 0 })
            try #require(kept == Array([1, 2, 3, 4].prefix(kept.count)), "seed \(seed): \(bytes)")
            try #require(bytes.dropFirst(kept.count).allSatisfy { $0 == 0 }, "seed \(seed): \(bytes)")
            found.insert(bytes)
        }
        #expect(found.isSuperset(of: [[], [1], [1, 2], [1, 2, 3, 4], [0, 0, 0, 0]]), "\(found)")
    }

    @Test("an overwrite leaves old or new sectors, never others")
    func overwrite() throws {
        var seen = Seen()
        for seed in UInt64(0)..<200 {
            let (disk, file) = try diskWithFile(seed)
            try file.write([UInt8](repeating: 1, count: 2048), at: 0)
            try file.sync()
            try file.write([UInt8](repeating: 2, count: 2048), at: 0)
            disk.crash()
            let bytes = try disk.bytes("/a")
            try #require(bytes.count == 2048, "seed \(seed)")
            for sector in 0..<4 {
                let values = Set(bytes[sector * 512..<(sector + 1) * 512])
                try #require(values == [1] || values == [2], "seed \(seed)")
            }
            seen.note(Set(bytes).count == 2 ? "torn" : bytes[0] == 1 ? "old" : "new")
        }
        #expect(seen.all("torn", "old", "new"), "\(seen.counts)")
    }

    @Test("a truncation survives or not; when it does, the bytes it cut never come back")
    func truncation() throws {
        var seen = Seen()
        for seed in UInt64(0)..<300 {
            let (disk, file) = try diskWithFile(seed)
            try file.write([UInt8](repeating: 1, count: 4096), at: 0)
            try file.sync()
            try file.truncate(to: 600)
            try file.write([UInt8](repeating: 2, count: 1000), at: 600)
            disk.crash()
            let bytes = try disk.bytes("/a")
            try #require(bytes.prefix(600).allSatisfy { $0 == 1 }, "seed \(seed): synced bytes were kept by it")
            switch bytes.count {
            case 4096:
                seen.note("old size")
                // Only the sector in which it cut is overwritten in place.
                try #require(bytes[1024...].allSatisfy { $0 == 1 }, "seed \(seed)")
            case 600...1600:
                seen.note(bytes.count == 600 ? "cut" : bytes.contains(2) ? "cut and written" : "cut and zeros")
                try #require(bytes[600...].allSatisfy { $0 != 1 }, "seed \(seed): bytes that were cut off are back")
            default: Issue.record("seed \(seed): \(bytes.count) bytes")
            }
        }
        #expect(seen.all("old size", "cut", "cut and written", "cut and zeros"), "\(seen.counts)")
    }

    @Test("what survived is durable: a second power cut takes nothing, and a sync is not needed")
    func survivorsAreDurable() throws {
        for seed in UInt64(0)..<50 {
            let (disk, file) = try diskWithFile(seed)
            try file.write([UInt8](repeating: 1, count: 3000), at: 0)
            try disk.write("/b", [1])
            disk.crash()
            let (names, bytes) = (disk.paths, try disk.bytes("/a"))
            #expect(disk.durable("/a") == bytes)
            disk.crash()
            #expect(disk.paths == names, "seed \(seed)")
            #expect(try disk.bytes("/a") == bytes, "seed \(seed)")
        }
    }

    @Test("open files are invalid and their locks are gone")
    func openFiles() throws {
        let (disk, file) = try diskWithFile(1)
        #expect(try file.lock())
        try file.write([1], at: 0)
        disk.crash()
        #expect(number { try file.write([2], at: 0) } == EIO)
        #expect(number { _ = try file.read(1, at: 0) } == EIO)
        #expect(number { try file.sync() } == EIO)
        #expect(number { try file.truncate(to: 0) } == EIO)
        #expect(number { _ = try file.size() } == EIO)
        #expect(number { _ = try file.lock() } == EIO)
        let error = #expect(throws: DiskError.self) { try file.sync() }
        #expect(error?.operation == "fdatasync by a process that has ended")
        #expect(try disk.open("/a", .write).lock())
    }

    @Test("a power cut or a kill comes after as many operations as ordered")
    func ordered() throws {
        let disk = SimulatedDisk(seed: 1)
        for isPowerCut in [true, false] {
            let process = disk.process()
            if isPowerCut { disk.crash(afterOperations: 2) } else { disk.kill(afterOperations: 2) }
            let before = disk.counters
            _ = try process.list("/")
            _ = try process.list("/")
            #expect(disk.counters.crashes == before.crashes && disk.counters.kills == before.kills)
            #expect(number { _ = try process.open("/a", .create) } == EIO)
            #expect(!disk.exists("/a"))
            #expect(disk.counters.operations == before.operations + 2)
            #expect(disk.counters.crashes == before.crashes + (isPowerCut ? 1 : 0))
            #expect(disk.counters.kills == before.kills + (isPowerCut ? 0 : 1))
            // It comes once, and not to a later process when another end was first.
            _ = try disk.list("/")
            disk.crash(afterOperations: 0)
            disk.kill()
            _ = try disk.list("/")
        }
    }

    @Test("a file that is being replaced is old or new at each moment, and new once the call has returned")
    func replacedAtEachMoment() throws {
        var seen = Seen()
        for operations in 0...6 {
            for seed in UInt64(0)..<50 {
                let disk = SimulatedDisk(seed: seed)
                try disk.replace("/a", with: [UInt8](repeating: 1, count: 2000))
                disk.crash(afterOperations: operations)
                let isDone = number { try disk.replace("/a", with: [UInt8](repeating: 2, count: 3000)) } == 0
                if isDone { disk.crash() }
                let bytes = try disk.bytes("/a")
                let isNew = bytes == [UInt8](repeating: 2, count: 3000)
                try #require(isNew || bytes == [UInt8](repeating: 1, count: 2000), "seed \(seed), \(operations)")
                if isDone { #expect(isNew, "seed \(seed), \(operations)") }
                seen.note(isDone ? "done" : isNew ? "new" : "old")
            }
        }
        #expect(seen.all("done", "new", "old"), "\(seen.counts)")
    }

    @Test("a process that has ended changes nothing more")
    func endedProcess() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.write("/a", [1]).sync()
        try disk.syncFolder("/")
        for end in [{ disk.crash() }, { disk.kill() }] {
            let before = disk.process()
            #expect(before.exists("/a"))
            end()
            #expect(!before.exists("/a"))
            for call: () throws -> Void in [
                { _ = try before.open("/b", .create) }, { _ = try before.makeFolder("/c") },
                { _ = try before.list("/") },
                { try before.syncFolder("/") }, { try before.move("/a", to: "/d") }, { try before.remove("/a") },
                { try before.removeFolder("/") }, { _ = try before.removeEmptyFolder("/c") },
            ] {
                #expect(number(call) == EIO)
            }
            #expect(disk.paths == ["/a"])
        }
    }
}
