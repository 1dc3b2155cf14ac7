import Foundation
import Glibc
import Testing

@testable import FileTail

@Suite(.serialized) struct ReadingTests {
    private func records(
        _ content: [UInt8],
        _ change: (inout FileTailConfiguration) -> Void = { _ in }
    ) throws -> [[UInt8]] {
        let folder = Folder()
        try Data(content).write(to: URL(fileURLWithPath: folder["a"]))
        var configuration = FileTailConfiguration(pattern: folder["a"], initialPosition: .startOfFile)
        change(&configuration)
        let clock = TestClock()
        let tail = try FileTail(configuration, restoring: [], nowMilliseconds: { clock.now })
        var result: [[UInt8]] = []
        for _ in 0..<3 {
            _ = try tail.refresh()
            clock.advance(10_000)
            while let chunk = tail.next(maxBytes: 1 << 20) {
                #expect(chunk.firstSequence == Int64(result.count))
                for index in 0..<chunk.count { result.append(Array(chunk.bytes[chunk.range(ofRecord: index)])) }
            }
        }
        return result
    }

    @Test("bytes pass through as they are")
    func bytes() throws {
        let content: [UInt8] = [0, 255, 10, 97, 13, 10, 10, 0xC3, 10]
        #expect(try records(content) == [[0, 255, 10], [97, 13, 10], [10], [0xC3, 10]])
        #expect(try records(content) { $0.keepNewline = false } == [[0, 255], [97, 13], [], [0xC3]])
    }

    @Test("a long line is cut between characters and nothing of it is lost", arguments: 16...40)
    func longLines(limit: Int) throws {
        let line = Array((String(repeating: "aé€😀", count: 30) + "\n").utf8)
        let rest = Array("next\n".utf8)
        for chunk in [1, 7, 64, 4096] {
            let got = try records(line + rest) {
                $0.maxRecordBytes = limit
                $0.readChunkBytes = chunk
            }
            #expect(Array(got.joined()) == line + rest)
            #expect(
                got.allSatisfy { $0.filter { $0 != 10 }.count <= limit && String(validating: $0, as: UTF8.self) != nil }
            )
            #expect(got.last == rest)
        }
        let exact = [UInt8](repeating: 97, count: limit) + [10]
        #expect(try records(exact + rest) { $0.maxRecordBytes = limit } == [exact, rest])
    }

    @Test("bytes that are no UTF-8 are cut at the limit")
    func longBinary() throws {
        let line = [UInt8](repeating: 0x80, count: 100) + [10]
        let got = try records(line) { $0.maxRecordBytes = 16 }
        #expect(got.map(\.count) == [16, 16, 16, 16, 16, 16, 5])
    }

    @Test("header lines are skipped in each file, whatever the size of reads", arguments: [1, 5, 4096])
    func header(chunk: Int) throws {
        let got = try records(Array("# one\n# two is longer\nfirst\nsecond\n".utf8)) {
            $0.skipHeaderLines = 2
            $0.readChunkBytes = chunk
        }
        #expect(got.map { String(decoding: $0, as: UTF8.self) } == ["first\n", "second\n"])
    }

    @Test(
        "lines that do not start a record belong to the one before, whatever the size of reads",
        arguments: [1, 9, 4096]
    )
    func multiLine(chunk: Int) throws {
        let text = "orphan\nERR one\n  at a\n  at b\nERR two\nERR three\n  at c\n"
        let got = try records(Array(text.utf8)) {
            $0.multiLineStart = { $0.starts(with: "ERR".utf8) }
            $0.readChunkBytes = chunk
        }
        #expect(
            got.map { String(decoding: $0, as: UTF8.self) }
                == ["orphan\n", "ERR one\n  at a\n  at b\n", "ERR two\n", "ERR three\n  at c\n"]
        )
    }

    @Test("records do not depend on how much is read at once")
    func splitsAlike() throws {
        var random = SeededRandom(state: 7)
        for _ in 0..<300 {
            let count = Int.random(in: 1...200, using: &random)
            let choice: [UInt8] = [10, 97, 83, 0xC3, 0xA9]
            var bytes: [UInt8] = []
            for _ in 0..<count { bytes.append(choice[Int.random(in: 0..<choice.count, using: &random)]) }
            let isMulti = Bool.random(using: &random)
            let starts: @Sendable (UnsafeRawBufferPointer) -> Bool = { $0.first == 83 }
            let splitter = RecordSplitter(maxRecordBytes: 16, multiLineStart: isMulti ? starts : nil)
            let whole = bytes.withUnsafeBytes { splitter.split($0, cuts: [bytes.count]).ends }
            var ends: [Int] = []
            var start = 0
            while start < bytes.count {
                var seen = start
                var found: [Int] = []
                while found.isEmpty {
                    seen = min(bytes.count, seen + Int.random(in: 1...20, using: &random))
                    let cuts = seen == bytes.count ? [seen - start] : []
                    found = bytes[start..<seen].withUnsafeBytes { splitter.split($0, cuts: cuts).ends }
                }
                ends += found.map { $0 + start }
                start = ends.last ?? bytes.count
            }
            #expect(ends == whole, "\(bytes)")
        }
    }

    @Test("files that are there at the first start are read from their end, later ones from their start")
    func initialPosition() throws {
        let folder = Folder()
        folder.append("old 1\nbegun", to: "a.log")
        folder.append("old 2\n", to: "b.log")
        let shipper = try Shipper(FileTailConfiguration(pattern: folder["*.log"]))
        try shipper.drain()
        folder.append(" new 1\n", to: "a.log")
        folder.append("new 2\n", to: "c.log")
        try shipper.drain()
        #expect(try shipper.lines() == ["begun new 1", "new 2"])
    }

    @Test("a file that cannot be read is told once, and read when it can be")
    func unreadable() throws {
        typealias Call = @convention(c) (UInt32) -> Int32
        let setfsuid = unsafeBitCast(try #require(dlsym(nil, "setfsuid")), to: Call.self)
        let folder = Folder()
        folder.append("secret\n", to: "a.log")
        chmod(folder["a.log"], 0)
        var configuration = FileTailConfiguration(pattern: folder["*.log"])
        configuration.initialPosition = .startOfFile
        let shipper = try Shipper(configuration)
        // This thread's rights on files alone: root may read everything.
        _ = setfsuid(65534)
        defer { _ = setfsuid(0) }
        try shipper.drain()
        #expect(shipper.notices.map(\.kind) == [.unreadable(EACCES)])
        #expect(shipper.notices[0].message.contains("setfacl"))
        _ = setfsuid(0)
        chmod(folder["a.log"], 0o644)
        _ = setfsuid(65534)
        try shipper.drain()
        #expect(shipper.notices.map(\.kind).contains(.readableAgain))
        #expect(try shipper.lines() == ["secret"])
    }

    @Test("links, folders and pipes among the matches do no harm")
    func oddFiles() throws {
        let folder = Folder()
        folder.append("once\n", to: "a.log")
        #expect(link(folder["a.log"], folder["hard.log"]) == 0)
        #expect(symlink("a.log", folder["soft.log"]) == 0)
        #expect(symlink("loop.log", folder["loop.log"]) == 0)
        #expect(mkdir(folder["dir.log"], 0o755) == 0)
        #expect(mkfifo(folder["pipe.log"], 0o644) == 0)
        #expect(symlink("..", folder["dir.log/up"]) == 0)
        folder.append("below\n", to: "dir.log/b.log")
        var configuration = FileTailConfiguration(pattern: "\(folder.path)/**/*.log")
        configuration.initialPosition = .startOfFile
        let shipper = try Shipper(configuration)
        try shipper.drain()
        #expect(try shipper.lines() == ["below", "once"])
    }

    @Test(
        "patterns",
        arguments: [
            ("*.log", ["a.log", "b.log"]), ("{a,c}.*", ["a.log", "c.txt"]), ("[ab].log", ["a.log", "b.log"]),
            ("?.{log,txt}", ["a.log", "b.log", "c.txt"]),
            ("**/*.log", ["a.log", "b.log", "sub/d.log", "sub/deep/e.log"]),
            ("s*/*.log", ["sub/d.log"]), ("{sub,x}/{deep/e,d}.log", ["sub/d.log", "sub/deep/e.log"]),
        ]
    )
    func patterns(pattern: String, names: [String]) throws {
        let folder = Folder()
        mkdir(folder["sub"], 0o755)
        mkdir(folder["sub/deep"], 0o755)
        for name in ["a.log", "b.log", "c.txt", "sub/d.log", "sub/deep/e.log"] { folder.append("\(name)\n", to: name) }
        let shipper = try Shipper(FileTailConfiguration(pattern: folder[pattern], initialPosition: .startOfFile))
        try shipper.drain()
        #expect(try shipper.lines() == names)
    }

    @Test("patterns that cannot match are refused", arguments: ["relative.log", "/folder/", "/a/{b", "/a/**", "/a/b}"])
    func badPatterns(pattern: String) {
        #expect(throws: FileTailError.self) { try FileTail(FileTailConfiguration(pattern: pattern), restoring: []) }
    }

    @Test("many files take turns, with few descriptors")
    func manyFiles() throws {
        let folder = Folder()
        for number in 0..<200 {
            folder.append((0..<20).map { "file \(number) line \($0)\n" }.joined(), to: "\(number).log")
        }
        var configuration = FileTailConfiguration(pattern: folder["*.log"], initialPosition: .startOfFile)
        configuration.maxOpenFiles = 5
        configuration.readChunkBytes = 100
        let shipper = try Shipper(configuration)
        try shipper.refresh()
        for _ in 0..<200 { try shipper.ship() }
        #expect(shipper.records.count == 200, "each file had its turn")
        try shipper.drain()
        #expect(try shipper.lines().count == 4000)
        #expect(shipper.tail.lag.bytes == 0)
        let links = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
        }
        #expect(links.count { $0.hasPrefix(folder.path) } <= 5)
    }
}
