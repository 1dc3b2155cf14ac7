import CChecksums
import Foundation
import RecordBatch
import ShardLog
import Testing

@testable import EmbeddedLog

@Suite("the embedded log after a crash")
struct RecoveryTests {
    private let shard = ShardRef(stream: "s-1", index: 0)

    private func fill(_ folder: TemporaryFolder, _ count: Int, bytes: Int = 5000) async throws -> [Position] {
        let log = try folder.reopen()
        try log.create(shard)
        let appender = try await log.openAppender(shard, expecting: nil)
        var positions: [Position] = []
        for number in 0..<count {
            positions += try await appender.append([frame(number, bytes: bytes, arrival: Int64(number))])
        }
        await log.close()
        return positions
    }

    @Test("everything acknowledged is there again, over many segments, and appends go on behind it")
    func reopen() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let positions = try await fill(folder, 100)
        #expect(try folder.segments(shard).count > 3)
        let log = try folder.reopen()
        #expect(try await log.readAll(shard).map(\.position) == positions)
        let more = try await log.openAppender(shard, expecting: nil).append([frame(100)])
        #expect(more[0] > positions[99])
        #expect(try await log.readAll(shard).map(\.number) == Array(0...100))
        await log.close()
    }

    @Test("a tail torn at any byte is cut off, and nothing before it")
    func torn() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 5, bytes: 40)
        let segment = try #require(try folder.segments(shard).last)
        let whole = try Data(contentsOf: segment)
        let size = (whole.count - 64) / 5
        for cut in stride(from: 64 + 4 * size, to: whole.count, by: 7) {
            for former in try folder.segments(shard) { try FileManager.default.removeItem(at: former) }
            try whole.prefix(cut).write(to: segment)
            let log = try folder.reopen()
            #expect(try await log.readAll(shard).map(\.number) == [0, 1, 2, 3], "cut at \(cut)")
            let position = try await log.openAppender(shard, expecting: nil).append([frame(9, bytes: 40)])
            #expect(try await log.readAll(shard).map(\.number) == [0, 1, 2, 3, 9])
            #expect(position[0].rawValue >= UInt64(cut), "a position that was cut off is given out again")
            await log.close()
        }
    }

    @Test("garbage behind the last frame is cut off")
    func garbage() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 5, bytes: 40)
        let segment = try #require(try folder.segments(shard).last)
        let whole = try Data(contentsOf: segment)
        for tail in [Data(count: 500), Data("KSF1 and then nonsense".utf8), Data(repeating: 0xFF, count: 3)] {
            for former in try folder.segments(shard) { try FileManager.default.removeItem(at: former) }
            try (whole + tail).write(to: segment)
            let log = try folder.reopen()
            #expect(try await log.readAll(shard).map(\.number) == [0, 1, 2, 3, 4])
            await log.close()
            let kept = segment.path + ".torn-\(whole.count)"
            #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == tail)
        }
    }

    @Test("a group that a power cut tore in its middle is cut off there, and the shard goes on", arguments: [0, 1, 2])
    func tornGroup(frameOfGroup: Int) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 3, bytes: 100)
        var log = try folder.reopen()
        let group = (3..<6).map { frame($0, bytes: 9000) }
        let positions = try await log.openAppender(shard, expecting: nil).append(group)
        await log.close()
        // One page of the group never reached the disk, those behind it did.
        let segment = try #require(try folder.segments(shard).last)
        var bytes = try Data(contentsOf: segment)
        let hole = Int(positions[frameOfGroup].rawValue) + 4096
        bytes.replaceSubrange(hole..<hole + 4096, with: Data(count: 4096))
        try bytes.write(to: segment)

        log = try folder.reopen()
        let survivors = Array(0..<(3 + frameOfGroup))
        #expect(try await log.readAll(shard).map(\.number) == survivors)
        let next = try await log.openAppender(shard, expecting: nil).append([frame(9)])
        #expect(try await log.readAll(shard).map(\.number) == survivors + [9])
        #expect(next[0] > positions[2], "a position that was cut off is given out again")
        await log.close()
    }

    @Test("encrypted frames are recovered, cut and gone on behind without their key", arguments: [1, 200, 9000])
    func encrypted(torn: Int) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let root = try #require(RootKey([UInt8](repeating: 3, count: 32)))
        let key = FrameKey(root, name: "alias/k", stream: shard.stream, salt: 1)
        let frames = (0..<4).map { frame($0, bytes: 9000, key: key) }
        var log = try folder.reopen()
        try log.create(shard)
        _ = try await log.openAppender(shard, expecting: nil).append(frames)
        await log.close()
        let segment = try #require(try folder.segments(shard).last)
        // Behind them its last block is filled with zeros.
        let end = frames.reduce(Int(Segment.header)) { $0 + $1.bytes.count }
        try Data(contentsOf: segment).prefix(end - torn).write(to: segment)

        log = try folder.reopen()
        _ = try await log.openAppender(shard, expecting: nil).append([frame(4, bytes: 100, key: key), frame(5)])
        let slab = try log.read(shard, from: .start, maxBytes: 1 << 20)
        let rest = try log.read(shard, from: slab.next, maxBytes: 1 << 20)
        let offsets = try [slab, rest].flatMap { slab in
            try slab.frames.map { frame in
                try slab.bytes.withUnsafeBytes { bytes in
                    try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range])).baseOffset
                }
            }
        }
        #expect(offsets == [0, 1, 2, 4, 5])
        await log.close()
    }

    @Test("a torn record that holds a whole frame's bytes is still torn", arguments: ["hole", "end"])
    func embedded(tear: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 3, bytes: 100)
        let whole = [UInt8](frame(77, bytes: 100).bytes)
        var run = RecordRun(reserving: 20_000)
        let value = [UInt8](repeating: 0x2E, count: 6000) + whole + [UInt8](repeating: 0x2E, count: 6000)
        value.withUnsafeBytes { run.append(key: UnsafeRawBufferPointer(start: nil, count: 0), value: $0) }
        let outer = FrameEncoder.seal(
            [run],
            shard: 0,
            baseOffset: 3,
            arrivalMilliseconds: 0,
            epoch: 0,
            source: .kinesis
        )
        var log = try folder.reopen()
        let appender = try await log.openAppender(shard, expecting: nil)
        let position = try await appender.append([AppendFrame(bytes: outer, arrivalMilliseconds: 0)])[0]
        await log.close()
        let segment = try #require(try folder.segments(shard).last)
        var bytes = try Data(contentsOf: segment)
        let hole = Int(position.rawValue) + 1000
        if tear == "hole" {
            bytes.replaceSubrange(hole..<hole + 4096, with: Data(count: 4096))
        } else {
            bytes.removeLast(3000)
        }
        try bytes.write(to: segment)
        log = try folder.reopen()
        #expect(try await log.readAll(shard).map(\.number) == [0, 1, 2])
        await log.close()
    }

    @Test("what another version wrote is refused and never cut off", arguments: ["frame", "header"])
    func version(what: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 5, bytes: 40)
        let segment = try #require(try folder.segments(shard).last)
        var bytes = try Data(contentsOf: segment)
        if what == "header" {
            bytes[4] = 9
        } else {
            // All versions have their checksum in the same place.
            bytes[64 + 6] = 9
            let frame = [UInt8](bytes[64...])
            var crc = crc32c(0, frame[..<12])
            crc = crc32c(crc, frame[16..<64 + 21])
            withUnsafeBytes(of: crc.littleEndian) { bytes.replaceSubrange(76..<80, with: $0) }
        }
        try bytes.write(to: segment)
        let log = try folder.reopen()
        let error = #expect(throws: ShardLogError.self) { _ = try log.bounds(shard) }
        #expect("\(String(describing: error))".contains("start the program that wrote it"))
        await log.close()
        #expect(try Data(contentsOf: segment) == bytes)
    }

    @Test("a journal that another version wrote is refused, and kept")
    func foreignJournal() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 1)
        var header = Array("MRJN".utf8) + [3, 0, 0, 0]
        header.append(little: UInt64(9))
        header.append(little: UInt64(1))
        header.append(little: millrace_crc32c(0, header, 24))
        let path = Journal.path(folder.path + "/log", 9)
        try Data(header + [UInt8](repeating: 0, count: 4068)).write(to: URL(fileURLWithPath: path))
        #expect {
            _ = try folder.reopen()
        } throws: { error in
            if case ShardLogError.corrupt(let why) = error { why.contains("version 3") } else { false }
        }
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test("a segment that stands where the next one goes is not overwritten")
    func neverOverwrites() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 5, bytes: 40)
        let segment = try #require(try folder.segments(shard).last)
        let whole = try Data(contentsOf: segment)
        let next = Segment(base: UInt64(whole.count)).name
        let other = segment.deletingLastPathComponent().appendingPathComponent(next)
        let log = try folder.reopen(segmentBytes: 100)
        let appender = try await log.openAppender(shard, expecting: nil)
        try Data(repeating: 1, count: 1000).write(to: other)
        await #expect(throws: ShardLogError.self) { _ = try await appender.append([frame(9)]) }
        #expect(try Data(contentsOf: other) == Data(repeating: 1, count: 1000))
        await log.close()
    }

    @Test("a damaged frame among whole ones is never served and never cut off, and its neighbours stay readable")
    func damage() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await fill(folder, 5, bytes: 400)
        let segment = try #require(try folder.segments(shard).last)
        var bytes = try Data(contentsOf: segment)
        let size = (bytes.count - 64) / 5
        bytes[64 + 2 * size + 300] ^= 1
        try bytes.write(to: segment)
        let log = try folder.reopen()
        #expect(try await log.readAll(shard).map(\.number) == [0, 1, 3, 4])
        #expect(try Data(contentsOf: segment) == bytes)
        await log.close()
    }

    @Test("a position between frames, as a made-up sequence number has it, means the next frame")
    func between() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let positions = try await fill(folder, 50)
        let log = try folder.reopen()
        for number in 0..<49 {
            let inside = Position(rawValue: positions[number].rawValue + 17)
            #expect(try log.position(shard, atOrAfter: inside) == positions[number + 1])
            #expect(try log.position(shard, atOrAfter: positions[number]) == positions[number])
        }
        await log.close()
    }

    @Test("a sealed shard is sealed after a restart, a deleted one stays deleted")
    func sealed() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let log = try folder.reopen()
        let other = ShardRef(stream: "s-2", index: 1)
        try log.create(shard)
        try log.create(other)
        try await log.openAppender(shard, expecting: nil).close()
        try log.delete(other)
        await log.close()
        let again = try folder.reopen()
        #expect(try again.bounds(shard).isClosed)
        #expect(again.list() == [shard])
        await again.close()
    }

    @Test("two processes can't open one folder")
    func lock() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let log = try folder.reopen()
        #expect(throws: EmbeddedLog.InUse.self) { try folder.reopen() }
        await log.close()
    }
}

private func crc32c(_ start: UInt32, _ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.withUnsafeBytes { millrace_crc32c(start, $0.baseAddress, $0.count) }
}
