import Foundation
import Testing

@testable import FileTail

/// What a hostile day of use found.
@Suite struct AdversityTests {
    private func shipper(
        _ folder: Folder,
        _ pattern: String,
        _ change: (inout FileTailConfiguration) -> Void = { _ in }
    ) throws -> Shipper {
        var configuration = FileTailConfiguration(pattern: folder[pattern], initialPosition: .startOfFile)
        change(&configuration)
        return try Shipper(configuration)
    }

    private func text(_ range: ClosedRange<Int>) -> String { range.map { "line \($0) of the file\n" }.joined() }

    private func expected(_ range: ClosedRange<Int>) -> [String] { range.map { "line \($0) of the file" }.sorted() }

    @Test("a file that can't be opened waits for the next look, and the others are read", .timeLimit(.minutes(1)))
    func unopenable() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "*.log") { $0.maxOpenFiles = 1 }
        folder.append(text(1...5), to: "a.log")
        folder.append(text(6...9), to: "b.log")
        try shipper.refresh()
        // One of them is not held open any more, and its name is gone between the look and the reading.
        folder.move("a.log", "a.moved")
        folder.move("b.log", "b.moved")
        while try shipper.ship() {}
        folder.move("a.moved", "a.log")
        folder.move("b.moved", "b.log")
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...9))
    }

    @Test("a large file that differs from another only in its middle is read whole")
    func nearlyTheSame() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "*.csv")
        let first = (1...60_000).map { "row \($0) of the export\n" }.joined()
        let second = (1...60_000).map { "row \($0) of \($0 == 31_234 ? "another" : "the export")\n" }.joined()
        folder.append(first, to: "monday.csv")
        try shipper.drain()
        folder.append(second, to: "tuesday.csv")
        try shipper.drain()
        #expect(try shipper.lines().count == 120_000)
    }

    @Test("a copy is not taken for that of a former generation because both begin alike")
    func constantHeader() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "app.log*")
        let header = String(repeating: "# a header that never changes\n", count: 40)
        folder.append(header + text(1...2000), to: "app.log")
        try shipper.drain()
        // Truncated, and its content is nowhere.
        folder.truncate("app.log")
        folder.append(header + text(2001...2100), to: "app.log")
        try shipper.refresh()
        // Copied and truncated before it was read.
        try folder.copy("app.log", "app.log.1")
        folder.truncate("app.log")
        folder.append(header + text(2101...2110), to: "app.log")
        try shipper.drain()
        let numbered = try shipper.lines().filter { $0.hasPrefix("line") }
        #expect(numbered == expected(1...2110))
    }

    @Test("a file behind a symbolic link is found after its rotation in its own folder", arguments: [false, true])
    func link(restarts: Bool) throws {
        let folder = Folder()
        try FileManager.default.createDirectory(atPath: folder["pods"], withIntermediateDirectories: false)
        folder.append(text(1...10), to: "pods/0.log")
        try FileManager.default.createSymbolicLink(atPath: folder["c.log"], withDestinationPath: folder["pods/0.log"])
        let shipper = try shipper(folder, "*.log")
        try shipper.drain()
        folder.append(text(11...20), to: "pods/0.log")
        if !restarts { try shipper.refresh() }
        folder.move("pods/0.log", "pods/0.log.20261121")
        folder.append(text(21...30), to: "pods/0.log")
        if restarts { try shipper.restart() }
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...30))
    }

    @Test("a cut record is given a newline where records are joined, and only there")
    func joined() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "app.log") {
            $0.endsCutRecords = true
            $0.rotatedQuiet = .milliseconds(1)
        }
        folder.append("one\nno newline at the end", to: "app.log")
        try shipper.refresh()
        folder.move("app.log", "app.log.1")
        folder.append("two\n", to: "app.log")
        try shipper.drain(rounds: 8)
        #expect(shipper.sourceTexts.sorted() == ["one\nno newline at the end\n", "two\n"])
    }

    @Test("a live file whose name continues another's keeps its unterminated line")
    func neighbour() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "*.log") { $0.rotatedQuiet = .milliseconds(1) }
        folder.append("a\n", to: "access.log")
        folder.append("first half, ", to: "access-error.log")
        try shipper.drain(rounds: 8)
        folder.append("second half\n", to: "access-error.log")
        try shipper.drain(rounds: 8)
        #expect(try shipper.lines() == ["a", "first half, second half"])
    }

    @Test("after a restart a truncated file is what it was last, also when all its lines are the same")
    func heartbeat() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "beat.log")
        let beat = "still alive\n"
        folder.append(String(repeating: beat, count: 1000), to: "beat.log")
        try shipper.drain()
        folder.truncate("beat.log")
        folder.append(String(repeating: beat, count: 200), to: "beat.log")
        try shipper.drain()
        folder.append(String(repeating: beat, count: 1000), to: "beat.log")
        try shipper.restart()
        try shipper.drain()
        #expect(try shipper.lines().count == 2200)
    }

    @Test("the hole that a writer leaves who keeps his place is no line")
    func hole() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "app.log")
        let file = try #require(fopen(folder["app.log"], "w"))
        defer { fclose(file) }
        for number in 1...2000 { fputs("line \(number) of the file\n", file) }
        fflush(file)
        try shipper.drain()
        folder.truncate("app.log")
        for number in 2001...2010 { fputs("line \(number) of the file\n", file) }
        fflush(file)
        try shipper.drain()
        #expect(try shipper.lines() == expected(1...2010))
        #expect(shipper.notices.contains { if case .holeSkipped = $0.kind { true } else { false } })
    }

    @Test("a file that goes while it is not held open is reported, even when all known bytes were read")
    func vanished() throws {
        let folder = Folder()
        let shipper = try shipper(folder, "*.log") { $0.maxOpenFiles = 1 }
        folder.append(text(1...5), to: "a.log")
        folder.append(text(6...9), to: "b.log")
        try shipper.drain()
        folder.remove("a.log")
        folder.remove("b.log")
        try shipper.drain()
        #expect(shipper.notices.contains { $0.kind == .lost(unreadBytes: 0) })
    }
}
