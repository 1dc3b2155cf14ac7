import CChecksums
import DiskIO
import Foundation
import Logging
import RecordBatch
import ShardLog
import Synchronization
import Testing

@testable import EmbeddedLog

@Suite("the embedded log's files")
struct StoreTests {
    private let shard = ShardRef(stream: "s-1", index: 0)
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func open(_ folder: TemporaryFolder, storeBytes: UInt64? = nil) throws -> EmbeddedLog {
        var configuration = EmbeddedLog.Configuration(segmentBytes: 50_000)
        configuration.storeBytes = storeBytes
        return try EmbeddedLog.open(directory: folder.path + "/log", configuration: configuration, logger: logger)
    }

    private func fill(_ log: EmbeddedLog, _ numbers: Range<Int>) async throws -> [Position] {
        let appender = try await log.openAppender(shard, expecting: nil)
        var positions: [Position] = []
        for number in numbers {
            positions += try await appender.append([frame(number, bytes: 4_000, arrival: Int64(number) * 10)])
        }
        return positions
    }

    @Test("an index that is missing or damaged is made anew, and times are found", arguments: ["missing", "damaged"])
    func index(trouble: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var log = try open(folder)
        try log.create(shard)
        let positions = try await fill(log, 0..<60)
        await log.close()
        let indexes = try folder.segments(shard).dropLast().map {
            $0.deletingPathExtension().appendingPathExtension("index")
        }
        let whole = try indexes.map { try Data(contentsOf: $0) }
        #expect(indexes.count >= 3)
        for path in indexes {
            if trouble == "missing" {
                try FileManager.default.removeItem(at: path)
            } else {
                var bytes = try Data(contentsOf: path)
                bytes[bytes.count - 1] ^= 1
                try bytes.write(to: path)
            }
        }
        log = try open(folder)
        for number in 0..<60 {
            #expect(try log.position(shard, arrivedAtOrAfter: Int64(number) * 10) == positions[number])
            #expect(try log.position(shard, arrivedAtOrAfter: Int64(number) * 10 - 5) == positions[number])
        }
        #expect(try indexes.map { try Data(contentsOf: $0) } == whole)
        await log.close()
    }

    @Test("at the store's limit appends are refused, and go on by themselves once there is room")
    func limit() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var log = try open(folder, storeBytes: 200_000)
        try log.create(shard)
        await #expect(throws: ShardLogError.self) { _ = try await fill(log, 0..<100) }
        let kept = try await log.readAll(shard).count
        #expect((45...55).contains(kept))
        // It is counted again by the next process.
        await log.close()
        log = try open(folder, storeBytes: 200_000)
        await #expect(throws: ShardLogError.self) { _ = try await fill(log, 100..<101) }
        try await log.trim(shard, arrivedBefore: Int64(kept / 2) * 10)
        _ = try await fill(log, 100..<105)
        #expect(try await log.readAll(shard).last?.number == 104)
        await log.close()
    }

    @Test(
        "segments that a kill left behind a trim are removed by the next trim, also where nothing is appended any more"
    )
    func leftovers() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var log = try open(folder)
        try log.create(shard)
        let positions = try await fill(log, 0..<60)
        let before = try TemporaryFolder()
        defer { before.remove() }
        for path in try folder.segments(shard) {
            try FileManager.default.copyItem(atPath: path.path, toPath: before.path + "/" + path.lastPathComponent)
        }
        try await log.trim(shard, arrivedBefore: 400)
        await log.close()
        let kept = try folder.segments(shard).map(\.lastPathComponent)
        let all = try FileManager.default.contentsOfDirectory(atPath: before.path).sorted()
        #expect(kept.count < all.count && kept.count > 1)
        for name in all where !kept.contains(name) {
            let path = try folder.segments(shard)[0].deletingLastPathComponent().path + "/" + name
            try FileManager.default.copyItem(atPath: before.path + "/" + name, toPath: path)
        }
        log = try open(folder)
        #expect(try log.bounds(shard).first == positions[40])
        #expect(try await log.readAll(shard).map(\.number) == Array(40..<60))
        try await log.trim(shard, arrivedBefore: 400)
        #expect(try folder.segments(shard).map(\.lastPathComponent) == kept)
        await log.close()
    }

    @Test(
        "a frame that is kept keeps none of the memory that it shared with others",
        arguments: ["in the journal": 100, "in its segment": 100_000]
    )
    func memoryOfOthers(place: String, bytes: Int) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let log = try folder.open()
        try log.create(shard)
        let appender = try await log.openAppender(shard, expecting: nil)
        weak var memory: FrameMemory?
        do {
            let made = frame(1, bytes: bytes)
            let shared = FrameMemory(count: 1 << 20)
            memory = shared
            made.bytes.withUnsafeBytes { shared.bytes.copyMemory(from: $0) }
            let part = AppendFrame(bytes: FrameBytes(shared, 0..<made.bytes.count), arrivalMilliseconds: 0)
            _ = try await appender.append([part])
        }
        // The request itself goes a moment after its answer.
        for _ in 0..<1000 where memory != nil { try await Task.sleep(for: .milliseconds(1)) }
        #expect(memory == nil)
        #expect(try await log.readAll(shard).map(\.number) == [1])
        await log.close()
    }

    @Test("a frame that is too large is refused with those beside it, and nothing of them is stored")
    func tooLarge() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let log = try open(folder)
        try log.create(shard)
        let appender = try await log.openAppender(shard, expecting: nil)
        let first = try await appender.append([frame(1)])
        let large = FrameEncoder.byteLimit + 1
        let frames = [
            frame(2), AppendFrame(bytes: FrameBytes(FrameMemory(count: large), 0..<large), arrivalMilliseconds: 0),
        ]
        await #expect(throws: ShardLogError.tooLarge(limit: FrameEncoder.byteLimit)) {
            _ = try await appender.append(frames)
        }
        #expect(try await log.readAll(shard).map(\.position) == first)
        // What came behind it would stand in its place.
        await #expect(throws: ShardLogError.self) { _ = try await appender.append([frame(3)]) }
        let next = try await log.openAppender(shard, expecting: appender.tail)
        _ = try await next.append([frame(4)])
        #expect(try await log.readAll(shard).map(\.number) == [1, 4])
        await log.close()
    }

    @Test("journal files go oldest first: a later one may say that a group of an older one does not count")
    func journalOrder() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.makeFolders("/log/journal")
        let journal = Journal(directory: "/log", disk: disk, fileBytes: 1, nextGeneration: 1)
        for position in 1...4 {
            var group = JournalGroup()
            group.append(first: UInt64(position), of: shard)
            try journal.write(group, of: [])
            try journal.sync()
        }
        #expect(try Journal.generations("/log", on: disk) == [1, 2, 3, 4])
        for generation in 1...3 { try journal.release(UInt64(generation)) }
        #expect(try Journal.generations("/log", on: disk) == [2, 3, 4])
    }

    @Test("the journal is written in whole blocks, and made long enough for the small groups to come")
    func journalBlocks() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.makeFolders("/log/journal")
        let journal = Journal(directory: "/log", disk: disk, fileBytes: 10 << 20, nextGeneration: 1)
        var sizes: [UInt64] = []
        for position in 1...3 {
            var group = JournalGroup()
            group.append(first: UInt64(position), of: shard)
            #expect(group.length == Journal.block)
            try journal.write(group, of: [])
            try journal.sync()
            sizes.append(try disk.open(Journal.path("/log", 1), .read).size())
        }
        #expect(sizes[0] > UInt64(100 * Journal.block) && Set(sizes).count == 1)
        let content = try #require(try Journal.read("/log", 1, on: disk))
        #expect(content.groups.map(\.sequence) == [1, 2, 3])
        #expect(content.groups.flatMap(\.entries).map(\.position) == [1, 2, 3])
    }

    @Test("of a journal's group of any size all entries are read, and nothing of what fills its last block")
    func journalPadding() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.makeFolders("/log/journal")
        let journal = Journal(directory: "/log", disk: disk, fileBytes: 100 << 20, nextGeneration: 1)
        // An entry of a trim takes 40 bytes with this name: all remainders of a block come.
        let counts = Array(1...250)
        for count in counts {
            var group = JournalGroup()
            for position in 1...count { group.append(first: UInt64(position), of: shard) }
            try journal.write(group, of: [])
            try journal.sync()
        }
        let content = try #require(try Journal.read("/log", 1, on: disk))
        #expect(content.groups.map(\.entries.count) == counts)
        #expect(content.groups.allSatisfy { $0.entries.map(\.position) == (1...UInt64($0.entries.count)).map { $0 } })
    }

    @Test("a journal of version 1, whose groups follow each other without a gap, is read")
    func formerJournal() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.makeFolders("/log/journal")
        var bytes = Array("MRJN".utf8) + [1, 0, 0, 0]
        bytes.append(little: UInt64(7))
        bytes.append(little: UInt64(40))
        bytes.append(little: millrace_crc32c(0, bytes, 24))
        bytes.append(little: UInt32(0))
        for position in 1...2 {
            var group = JournalGroup()
            group.append(first: UInt64(position), of: shard)
            let scratch = try disk.open("/scratch", .replace)
            try group.write(to: scratch, at: 0, generation: 7, sequence: UInt64(39 + position))
            var former = try scratch.read(group.count, at: 0)
            withUnsafeBytes(of: UInt64(group.count).littleEndian) { former.replaceSubrange(24..<32, with: $0) }
            let crc = millrace_crc32c(0, Array(former[8...]), former.count - 8)
            withUnsafeBytes(of: crc.littleEndian) { former.replaceSubrange(4..<8, with: $0) }
            bytes += former
        }
        try disk.open(Journal.path("/log", 7), .createNew).write(bytes, at: 0)
        let content = try #require(try Journal.read("/log", 7, on: disk))
        #expect(content.groups.map(\.sequence) == [40, 41])
        #expect(content.groups.flatMap(\.entries).map(\.position) == [1, 2])
    }

    /// Somebody's jobs on a pool, which last until they are released.
    private final class SlowWork: Sendable {
        let begun = Mutex(0)
        let release = Signal()

        /// Returns when so many of them run.
        init(_ pool: SyncPool, jobs: Int, running: Int) async throws {
            LogThread.start { [self] in
                pool.run(jobs) { _ in
                    self.begun.withLock { $0 += 1 }
                    self.release.wait()
                    self.release.raise()
                }
            }
            while begun.withLock({ $0 }) < running { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test("a caller of the pool does its own work only: it never waits for another's slow job")
    func poolOwners() async throws {
        let pool = SyncPool(threads: 1)
        defer { pool.stop() }
        // One for its caller, one for the pool's thread, and one that nobody is free for.
        let slow = try await SlowWork(pool, jobs: 3, running: 2)
        let done = Mutex(0)
        await withCheckedContinuation { continuation in
            LogThread.start {
                pool.run(2) { _ in done.withLock { $0 += 1 } }
                continuation.resume()
            }
        }
        #expect(done.withLock { $0 } == 2)
        #expect(slow.begun.withLock { $0 } == 2)
        slow.release.raise()
    }

    @Test("a caller of the pool gets a thread that is idle, whoever keeps the others")
    func poolThreads() async throws {
        let pool = SyncPool(threads: 3)
        defer { pool.stop() }
        let slow = try await SlowWork(pool, jobs: 2, running: 2)
        // Each of two jobs waits until the other has begun.
        let met = Mutex(0)
        await withCheckedContinuation { continuation in
            LogThread.start {
                pool.run(2) { _ in
                    met.withLock { $0 += 1 }
                    let pause = Signal()
                    var patience = 2_000
                    while met.withLock({ $0 }) < 2, patience > 0 {
                        pause.wait(atMost: .milliseconds(1))
                        patience -= 1
                    }
                    if patience == 0 { met.withLock { $0 = -10 } }
                }
                continuation.resume()
            }
        }
        #expect(met.withLock { $0 } == 2)
        slow.release.raise()
    }

    @Test("frames of many shards are read from memory, from the journal's segments, and after a kill from the journal")
    func journal() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let log = try open(folder)
        let shards = (0..<200).map { ShardRef(stream: "s-1", index: UInt32($0)) }
        for shard in shards {
            try log.create(shard)
            _ = try await log.openAppender(shard, expecting: nil).append([frame(Int(shard.index), bytes: 500)])
        }
        #expect(try folder.segments(shards[0]).isEmpty)
        for shard in shards { #expect(try await log.readAll(shard).map(\.number) == [Int(shard.index)]) }
        // As a kill leaves it: nothing is in its segment.
        let copy = try TemporaryFolder()
        defer { copy.remove() }
        try FileManager.default.copyItem(atPath: folder.path + "/log", toPath: copy.path + "/log")
        await log.close()
        for folder in [folder, copy] {
            let again = try open(folder)
            for shard in shards { #expect(try await again.readAll(shard).map(\.number) == [Int(shard.index)]) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/log/journal").isEmpty)
            await again.close()
            let summary = try StoreCheck.run(directory: folder.path + "/log") { Issue.record("\($0)") }
            #expect(summary.shards == 200 && summary.records == 200 && summary.damage == 0)
        }
    }
}
