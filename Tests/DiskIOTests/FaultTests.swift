import DiskIO
import Glibc
import Testing

@Suite("a disk that fails")
struct FaultTests {
    @Test("each call fails with its error when its rate is 1, and changes nothing")
    func eachCall() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.makeFolders("/f")
        let file = try disk.write("/f/a", [1, 2])
        try file.sync()
        try disk.syncFolder("/f")
        let before = disk.paths
        let cases: [(SimulatedDisk.Faults, Set<Int32>, () throws -> Void)] = [
            (.init(read: 1), [EIO], { _ = try file.read(1, at: 0) }),
            (.init(truncate: 1), [EIO], { try file.truncate(to: 0) }),
            (.init(syncFolder: 1), [EIO], { try disk.syncFolder("/f") }),
            (.init(open: 1), [EMFILE, EIO], { _ = try disk.open("/f/b", .create) }),
            (.init(open: 1), [EMFILE, EIO], { _ = try disk.open("/f/a", .replace) }),
            (.init(list: 1), [EMFILE, EIO], { _ = try disk.list("/f") }),
            (.init(makeFolder: 1), [EIO, ENOSPC], { _ = try disk.makeFolder("/g") }),
            (.init(move: 1), [EIO], { try disk.move("/f/a", to: "/f/b") }),
            (.init(remove: 1), [EIO], { try disk.remove("/f/a") }),
            (.init(remove: 1), [EIO], { try disk.removeFolder("/f") }),
            (.init(sync: 1), [EIO], { try file.sync() }),
        ]
        for (faults, numbers, call) in cases {
            disk.setFaults(faults)
            let faultsBefore = disk.counters.faults
            for _ in 0..<10 { #expect(numbers.contains(number(call)), "\(faults)") }
            #expect(disk.counters.faults == faultsBefore + 10)
            disk.setFaults(.init())
            #expect(disk.paths == before, "\(faults)")
            #expect(try disk.bytes("/f/a") == [1, 2], "\(faults)")
        }
    }

    @Test("a failed write has put some first bytes, none or all of them into the file")
    func failedWrite() throws {
        for (faults, expected) in [(SimulatedDisk.Faults(write: 1), EIO), (.init(outOfSpace: 1), ENOSPC)] {
            var counts: Set<Int> = []
            for seed in UInt64(0)..<50 {
                let disk = SimulatedDisk(seed: seed)
                let file = try disk.open("/a", .create)
                disk.setFaults(faults)
                #expect(number { try file.write([1, 2, 3], at: 0) } == expected)
                let bytes = try file.all()
                #expect(bytes == Array([1, 2, 3].prefix(bytes.count)))
                counts.insert(bytes.count)
                #expect(disk.counters.bytesWritten == UInt64(bytes.count) && disk.used == UInt64(bytes.count))
            }
            #expect(counts == [0, 1, 2, 3])
        }
    }

    @Test("rates are rates")
    func rates() throws {
        let disk = SimulatedDisk(seed: 5)
        let file = try disk.open("/a", .create)
        disk.setFaults(.init(sync: 0.25))
        let failed = (0..<2000).count { _ in number { try file.sync() } != 0 }
        #expect((400..<600).contains(failed))
        #expect(disk.counters.faults == failed && disk.counters.syncs == 2000)
    }

    @Test("what a failed sync left unsynced is read on, and no later sync makes it durable")
    func failedSync() throws {
        var (lost, kept) = (0, 0)
        for seed in UInt64(0)..<200 {
            let disk = SimulatedDisk(seed: seed)
            let file = try disk.open("/a", .create)
            try disk.syncFolder("/")
            try file.write([UInt8](repeating: 1, count: 1024), at: 0)
            try file.sync()
            try file.write([UInt8](repeating: 2, count: 1024), at: 1024)
            disk.setFaults(.init(sync: 1))
            #expect(number { try file.sync() } == EIO)
            disk.setFaults(.init())
            #expect(try file.read(1024, at: 1024) == [UInt8](repeating: 2, count: 1024))
            try file.write([UInt8](repeating: 3, count: 1024), at: 2048)
            try file.sync()
            try file.sync()
            #expect(try file.read(1024, at: 1024) == [UInt8](repeating: 2, count: 1024))
            if seed % 2 == 0 { disk.crash() } else { disk.evict() }
            let bytes = try disk.bytes("/a")
            try #require(bytes.count == 3072, "seed \(seed)")
            #expect(bytes[..<1024].allSatisfy { $0 == 1 } && bytes[2048...].allSatisfy { $0 == 3 }, "seed \(seed)")
            let middle = Set(bytes[1024..<2048])
            if middle == [2] { kept += 1 } else { lost += 1 }
        }
        #expect(kept > 0 && lost > 100, "kept \(kept), lost \(lost)")
    }

    @Test("every open file hears once of a sync that failed for another")
    func toldOnce() throws {
        let disk = SimulatedDisk(seed: 8)
        let (one, other) = (try disk.open("/a", .create), try disk.open("/b", .create))
        let reader = try disk.open("/a", .read)
        try one.write([1], at: 0)
        disk.setFaults(.init(sync: 1))
        #expect(number { try other.syncAll() } == EIO)
        disk.setFaults(.init())
        #expect(number { try one.sync() } == EIO && number { try one.sync() } == 0)
        #expect(number { try reader.writeOut(waits: true) } == EIO && number { try reader.sync() } == 0)
        #expect(number { try disk.open("/a", .write).sync() } == 0)
    }

    @Test("bytes that were dropped are durable once they are written and synced again")
    func writtenAgain() throws {
        for seed in UInt64(0)..<50 {
            let disk = SimulatedDisk(seed: seed)
            let file = try disk.write("/a", [UInt8](repeating: 1, count: 2000))
            try disk.syncFolder("/")
            disk.setFaults(.init(sync: 1))
            #expect(number { try file.sync() } == EIO)
            disk.setFaults(.init())
            try file.write(try file.all(), at: 0)
            try file.sync()
            disk.crash()
            #expect(try disk.bytes("/a") == [UInt8](repeating: 1, count: 2000), "seed \(seed)")
        }
    }

    @Test("a folder's failed sync leaves its names at stake, and a later one makes them durable")
    func failedFolderSync() throws {
        var found: Set<Bool> = []
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            try disk.write("/a", [])
            disk.setFaults(.init(syncFolder: 1))
            #expect(number { try disk.syncFolder("/") } == EIO)
            disk.setFaults(.init())
            if seed % 2 == 0 { try disk.syncFolder("/") }
            disk.crash()
            if seed % 2 == 0 { #expect(disk.exists("/a"), "seed \(seed)") } else { found.insert(disk.exists("/a")) }
        }
        #expect(found == [true, false])
    }

    @Test("a full disk takes what fits, overwrites, and takes more when space is made")
    func capacity() throws {
        let disk = SimulatedDisk(seed: 1)
        disk.setFaults(.init(capacity: 100))
        let file = try disk.write("/a", [UInt8](repeating: 1, count: 60))
        let other = try disk.open("/b", .create)
        #expect(number { try other.write([UInt8](repeating: 2, count: 60), at: 0) } == ENOSPC)
        #expect(try other.size() == 40 && disk.used == 100)
        #expect(number { try other.write([2], at: 40) } == ENOSPC)
        #expect(number { try other.write([2], at: 90) } == ENOSPC)
        #expect(number { try other.truncate(to: 41) } == ENOSPC)
        #expect(try other.size() == 40)
        try file.write([UInt8](repeating: 3, count: 60), at: 0)
        // Who has it open keeps the space.
        try disk.remove("/b")
        #expect(number { try file.write([3], at: 60) } == ENOSPC)
        withExtendedLifetime(other) {}
    }

    @Test("space is free again when a removed file is closed, replaced, cut or lost")
    func freed() throws {
        let disk = SimulatedDisk(seed: 3)
        var file: (any DiskFile)? = try disk.write("/a", [UInt8](repeating: 1, count: 60))
        try disk.remove("/a")
        #expect(disk.used == 60)
        try file?.write([1], at: 60)
        #expect(disk.used == 61)
        file = nil
        #expect(disk.used == 0)
        try disk.write("/b", [1, 2])
        try disk.write("/c", [1, 2, 3])
        try disk.move("/b", to: "/c")
        #expect(disk.used == 2)
        _ = try disk.open("/c", .replace)
        #expect(disk.used == 0)
        try disk.write("/c", [1, 2, 3])
        file = try disk.open("/c", .write)
        try disk.remove("/c")
        disk.kill()
        #expect(disk.used == 0)
        file = nil
        #expect(disk.used == 0)
    }

    @Test("a killed process loses nothing that it wrote, and makes nothing durable")
    func kill() throws {
        var found: Set<[UInt8]> = []
        for seed in UInt64(0)..<50 {
            let disk = SimulatedDisk(seed: seed)
            let file = try disk.write("/a", [1])
            try disk.syncFolder("/")
            #expect(try file.lock())
            disk.kill()
            #expect(try disk.bytes("/a") == [1])
            #expect(number { try file.write([2], at: 0) } == EIO)
            #expect(try disk.open("/a", .write).lock())
            #expect(disk.durable("/a") == [])
            disk.crash()
            found.insert(try disk.bytes("/a"))
        }
        #expect(found.isSuperset(of: [[], [1]]))
    }

    @Test("flipped bits are as many as asked for, where asked for, and survive everything")
    func flips() throws {
        let disk = SimulatedDisk(seed: 9)
        let zeros = [UInt8](repeating: 0, count: 1000)
        try disk.replace("/a", with: zeros)
        let offsets = try disk.flipBits(in: "/a", 5, within: 100..<200)
        #expect(offsets.count == 5 && offsets.allSatisfy { (100..<200).contains($0) })
        disk.crash()
        let bytes = try disk.bytes("/a")
        #expect(bytes.map(\.nonzeroBitCount).reduce(0, +) == 5)
        #expect(bytes.indices.filter { bytes[$0] != 0 } == Set(offsets).map(Int.init).sorted())
        #expect(try disk.flipBits(in: "/a", 100, within: 990..<2000).count == 80)
        #expect(number { try disk.flipBits(in: "/b", 1) } == ENOENT)
        #expect(number { try disk.flipBits(in: "/", 1) } == EISDIR)
    }

    @Test("the trace has the last operations with their outcomes")
    func trace() throws {
        let disk = SimulatedDisk(seed: 1, traceLimit: 3)
        let file = try disk.write("/a", [1, 2])
        disk.setFaults(.init(sync: 1))
        _ = number { try file.sync() }
        try disk.move("/a", to: "/b")
        #expect(
            disk.trace == ["1 pwritev /a 0+2", "2 fdatasync /a: Input/output error", "3 rename /a to /b"]
        )
        #expect(SimulatedDisk(seed: 1, traceLimit: 3).trace == [])
    }
}
