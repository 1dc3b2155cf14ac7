import DiskIO
import Testing

@Suite("a power cut and names")
struct PowerCutNameTests {
    @Test("a new file without a sync of its folder is there or not, its synced bytes with it")
    func newFile() throws {
        var seen = Seen()
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            try disk.write("/a", [1, 2, 3]).sync()
            #expect(disk.durable("/a") == nil)
            disk.crash()
            seen.note(disk.exists("/a") ? "there" : "gone")
            if disk.exists("/a") { #expect(try disk.bytes("/a") == [1, 2, 3], "seed \(seed)") }
        }
        #expect(seen.all("there", "gone"))
    }

    @Test("a folder's synced names survive, and say nothing of unsynced bytes or of the folder's own name")
    func syncedNames() throws {
        var seen = Seen()
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            _ = try disk.makeFolder("/f")
            try disk.write("/a", [1])
            try disk.syncFolder("/")
            try disk.write("/f/b", [2]).sync()
            _ = try disk.makeFolder("/f/g")
            try disk.write("/f/g/c", [3]).sync()
            try disk.syncFolder("/f/g")
            disk.crash()
            try #require(disk.exists("/a") && disk.exists("/f"), "seed \(seed)")
            seen.note(try disk.bytes("/a") == [1] ? "bytes" : "no bytes")
            seen.note(disk.exists("/f/g") ? "folder" : "no folder")
            if disk.exists("/f/g") { #expect(try disk.bytes("/f/g/c") == [3], "seed \(seed)") }
        }
        #expect(seen.all("bytes", "no bytes", "folder", "no folder"), "\(seen.counts)")
    }

    @Test("of the changes of one folder the first ones survive")
    func inOrder() throws {
        var counts: Set<Int> = []
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            for name in ["/a", "/b", "/c", "/d"] { try disk.write(name, []) }
            disk.crash()
            try #require(disk.paths == Array(["/a", "/b", "/c", "/d"].prefix(disk.paths.count)), "seed \(seed)")
            counts.insert(disk.paths.count)
        }
        #expect(counts == [0, 1, 2, 3, 4])
    }

    @Test("the changes of two folders survive independently")
    func twoFolders() throws {
        var seen = Seen()
        for seed in UInt64(0)..<200 {
            let disk = SimulatedDisk(seed: seed)
            for folder in ["/f", "/g"] { _ = try disk.makeFolder(folder) }
            try disk.syncFolder("/")
            try disk.write("/f/a", [])
            try disk.write("/g/a", [])
            disk.crash()
            seen.note("\(disk.exists("/f/a")) \(disk.exists("/g/a"))")
        }
        #expect(seen.all("true true", "true false", "false true", "false false"), "\(seen.counts)")
    }

    @Test("a replaced file is the old or the new one, whole")
    func replaced() throws {
        var seen = Seen()
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            try disk.replace("/a", with: [1, 1])
            try disk.open("/a.new", .create).write([2, 2, 2], at: 0)
            try disk.open("/a.new", .write).sync()
            try disk.move("/a.new", to: "/a")
            disk.crash()
            let bytes = try disk.bytes("/a")
            try #require(bytes == [1, 1] || bytes == [2, 2, 2], "seed \(seed): \(bytes)")
            seen.note(bytes.count == 2 ? "old" : "new")
        }
        #expect(seen.all("old", "new"))
        // With the sync of the folder it is the new one.
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            for byte in [UInt8(1), 2] { try disk.replace("/a", with: [byte]) }
            disk.crash()
            #expect(try disk.bytes("/a") == [2], "seed \(seed)")
        }
    }

    @Test("a replacement that was not synced before its move may leave an empty file")
    func unsyncedReplacement() throws {
        let isTorn = try (UInt64(0)..<100).contains { seed in
            let disk = SimulatedDisk(seed: seed)
            try disk.replace("/a", with: [1])
            try disk.write("/a.new", [2])
            try disk.move("/a.new", to: "/a")
            try disk.syncFolder("/")
            disk.crash()
            return try disk.bytes("/a") == []
        }
        #expect(isTorn)
    }

    @Test("a moved folder is in one place, with all that was durable in it")
    func movedFolder() throws {
        var seen = Seen()
        for seed in UInt64(0)..<200 {
            let disk = SimulatedDisk(seed: seed)
            try disk.makeFolders("/f/g")
            try disk.write("/f/g/a", [1]).sync()
            try disk.syncFolder("/f/g")
            // Into a folder that is not durable itself.
            _ = try disk.makeFolder("/h")
            try disk.move("/f/g", to: "/h/g")
            let isSynced = seed % 3 == 0
            if isSynced { try disk.syncFolder(seed % 2 == 0 ? "/f" : "/h") }
            disk.crash()
            let (old, new) = (disk.exists("/f/g"), disk.exists("/h/g"))
            try #require(old != new, "seed \(seed): \(disk.paths)")
            if isSynced { #expect(new, "seed \(seed)") }
            #expect(try disk.bytes(new ? "/h/g/a" : "/f/g/a") == [1], "seed \(seed)")
            if !isSynced { seen.note(new ? "new" : "old") }
        }
        #expect(seen.all("old", "new"))
    }

    @Test("a removed file may be back with its synced bytes, until its folder is synced")
    func removed() throws {
        var seen = Seen()
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            try disk.replace("/a", with: [1])
            try disk.remove("/a")
            #expect(disk.durable("/a") == [1])
            let isSynced = seed % 2 == 0
            if isSynced { try disk.syncFolder("/") }
            disk.crash()
            if isSynced { #expect(!disk.exists("/a"), "seed \(seed)") }
            if disk.exists("/a") { #expect(try disk.bytes("/a") == [1]) }
            seen.note(disk.exists("/a") ? "back" : "gone")
        }
        #expect(seen.all("back", "gone"))
    }
}
