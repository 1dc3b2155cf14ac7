import Foundation
import Testing

@testable import FileTail

@Suite struct RotationTests {
    private func shipper(_ folder: Folder, _ pattern: String = "app.log") throws -> Shipper {
        var configuration = FileTailConfiguration(pattern: folder[pattern], initialPosition: .startOfFile)
        configuration.readChunkBytes = 64
        return try Shipper(configuration)
    }

    private func text(_ range: ClosedRange<Int>) -> String { range.map { "line \($0) of the file\n" }.joined() }

    private func expected(_ range: ClosedRange<Int>) -> [String] { range.map { "line \($0) of the file" }.sorted() }

    @Test(
        "a rename out of or within the pattern is read to its end",
        arguments: ["app.log", "app.log*"],
        [false, true]
    )
    func rename(pattern: String, restarts: Bool) throws {
        let folder = Folder()
        let shipper = try shipper(folder, pattern)
        folder.append(text(1...50), to: "app.log")
        try shipper.refresh()
        try shipper.ship()
        shipper.acknowledge(1)
        shipper.save()
        folder.move("app.log", "app.log.1")
        folder.append(text(51...60), to: "app.log.1")
        folder.append(text(61...80), to: "app.log")
        if restarts { try shipper.restart() }
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...80))
        #expect(shipper.records.count == 2)
    }

    @Test(
        "copytruncate goes on in the copy, also when the file has grown past its former size",
        arguments: ["app.log", "app.log*"],
        [false, true]
    )
    func copyTruncate(pattern: String, restarts: Bool) throws {
        let folder = Folder()
        let shipper = try shipper(folder, pattern)
        folder.append(text(1...50), to: "app.log")
        try shipper.refresh()
        try shipper.ship()
        shipper.acknowledge(2)
        shipper.save()
        try folder.copy("app.log", "app.log.1")
        folder.truncate("app.log")
        folder.append(text(51...200), to: "app.log")
        if restarts { try shipper.restart() }
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...200))
        #expect(shipper.records.count == 2)
        #expect(shipper.notices.contains { $0.kind == .continuedInCopy(of: folder["app.log"]) })
    }

    @Test("a long header that every file has does not hide a truncation")
    func sameHeader() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "app.log*")
        let header = String(repeating: "# header of two kilobytes\n", count: 80)
        folder.append(header + text(1...100), to: "app.log")
        try shipper.drain()
        folder.truncate("app.log")
        folder.append(header + text(101...300), to: "app.log")
        try shipper.drain()
        let lines = try shipper.lines().filter { !$0.hasPrefix("#") }
        #expect(lines == expected(1...300))
        #expect(shipper.records.count == 2)
    }

    @Test("a deleted file is read to its end, and its space is freed then")
    func deleted() throws {
        let folder = Folder()
        let shipper = try shipper(folder)
        folder.append(text(1...50) + "unterminated", to: "app.log")
        try shipper.refresh()
        folder.remove("app.log")
        try shipper.drain()
        #expect(try shipper.lines() == (expected(1...50) + ["unterminated"]).sorted())
        let links = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
        }
        #expect(!links.contains { $0.hasPrefix(folder.path) })
    }

    @Test("a file that is compressed and deleted is finished from its descriptor, the compressed one is not read")
    func compressed() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "app*")
        folder.append(text(1...50), to: "app.log")
        try shipper.refresh()
        try shipper.ship()
        for suffix in ["gz", "GZ", "bz2", "zip", "xz", "zst", "lz4"] {
            folder.append("packed\n", to: "app.log.\(suffix)")
        }
        folder.remove("app.log")
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...50))
    }

    @Test("a file replaced by a rename is finished, its successor is read from its start")
    func replaced() throws {
        let folder = Folder()
        let shipper = try shipper(folder)
        folder.append(text(1...50), to: "app.log")
        try shipper.refresh()
        folder.append(text(51...60), to: "new")
        folder.move("new", "app.log")
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...60))
        #expect(shipper.notices.contains { $0.kind == .replaced })
    }

    @Test("a new file in the inode of a deleted one is new")
    func inodeReuse() throws {
        let folder = Folder()
        let shipper = try shipper(folder)
        for round in 0..<20 {
            folder.append("the same start\nround \(round)\n", to: "app.log")
            try shipper.drain()
            // Nobody has it open while it is deleted.
            try shipper.restart()
            folder.remove("app.log")
        }
        #expect(try shipper.lines().filter { $0.hasPrefix("round") }.count == 20)
        #expect(shipper.records.count == 20)
    }

    @Test("a copy is not read, and is read from its start once it differs")
    func copies() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "*")
        folder.append(text(1...10), to: "app.log")
        try shipper.drain()
        try folder.copy("app.log", "app.log.bak")
        folder.append(text(11...20), to: "app.log")
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...20))
        #expect(shipper.notices.contains { $0.kind == .copyHeld(of: folder["app.log"]) })
        folder.append("differs\n", to: "app.log.bak")
        try shipper.drain()
        #expect(try shipper.lines() == (expected(1...20) + expected(1...10) + ["differs"]).sorted())
    }

    @Test("short files of unrelated names that say the same are all read")
    func sameShortFiles() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "*.log")
        for number in 0..<5 { folder.append("done\n", to: "job-\(number).log") }
        try shipper.drain()
        #expect(try shipper.lines() == Array(repeating: "done", count: 5))
    }

    @Test("an unterminated line of a live file waits, that of a rotated one is a record, and what follows is another")
    func unterminated() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "app.log*")
        folder.append("whole\nbeg", to: "app.log")
        try shipper.drain()
        #expect(try shipper.lines() == ["whole"])
        folder.append("un\nleft", to: "app.log")
        try shipper.drain()
        #expect(try shipper.lines() == ["begun", "whole"])
        // While somebody has it open for writing it may still be completed.
        let handle = try #require(FileHandle(forWritingAtPath: folder["app.log"]))
        try handle.seekToEnd()
        folder.move("app.log", "app.log.1")
        try shipper.drain()
        #expect(try shipper.lines() == ["begun", "whole"])
        try handle.close()
        try shipper.drain()
        #expect(try shipper.lines() == ["begun", "left", "whole"])
        folder.append("over\nmore\n", to: "app.log.1")
        try shipper.drain()
        try shipper.restart()
        try shipper.drain()
        #expect(
            shipper.records.values.first?.sorted { $0.key < $1.key }.map(\.value)
                == ["whole\n", "begun\n", "left", "over\n", "more\n"]
        )
    }

    @Test("a cut that was made before a crash is made again")
    func cutIsRemembered() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "app.log*")
        folder.append("one\nleft", to: "app.log")
        try shipper.refresh()
        folder.move("app.log", "app.log.1")
        for _ in 0..<3 {
            try shipper.refresh()
            while try shipper.ship() {}
        }
        #expect(try shipper.lines() == ["left", "one"])
        folder.append("over\n", to: "app.log.1")
        try shipper.restart()
        // `ship` throws if a number stands for another record now.
        try shipper.drain()
        #expect(try shipper.lines().count == 1 + 1)
        #expect(shipper.sourceTexts == ["one\nleftover\n"])
        #expect(shipper.records.values.first?.count == 3)
    }
}
