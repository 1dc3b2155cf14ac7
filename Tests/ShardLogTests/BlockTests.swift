import DiskIO
import Foundation
import Logging
import ShardLog
import Synchronization
import Testing

@testable import EmbeddedLog

@Suite("frames that are written in whole blocks, past the page cache")
struct BlockTests {
    private let shard = ShardRef(stream: "s-1", index: 0)

    /// Without threads: what stands in the folder changes with appends alone.
    private func open(_ folder: TemporaryFolder, directBytes: Int = .max) throws -> EmbeddedLog {
        try EmbeddedLog.withoutThreads(POSIXDisk(), directory: folder.path + "/log") { configuration in
            configuration.segmentBytes = 50_000
            (configuration.directBytes, configuration.journalFileBytes) = (directBytes, 40_000)
            (configuration.passingBytes, configuration.applyBytes, configuration.memoryBytes) = (1, 9_000, 0)
        }
    }

    private func appender(_ log: EmbeddedLog, _ shard: ShardRef? = nil) throws -> EmbeddedAppender {
        let appender = Mutex<EmbeddedAppender?>(nil)
        log.addAppender(try log.find(shard ?? self.shard)) { opened in appender.withLock { $0 = opened } }
        while log.thread.turn() {}
        return try #require(appender.withLock { $0 })
    }

    /// Appends frames, each in a group of its own, and returns their positions.
    private func append(_ frames: [AppendFrame], to log: EmbeddedLog) throws -> [Position] {
        let appender = try appender(log)
        let positions = Mutex<[Position]>([])
        for frame in frames {
            appender.append([frame]) { result in positions.withLock { $0 += (try? result.get()) ?? [] } }
            while log.thread.turn() {}
        }
        return positions.withLock { $0 }
    }

    /// Files of the shard, but for those that a log of any kind has.
    private func leftovers(_ folder: TemporaryFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/log/s-1/0").filter { name in
            !name.hasSuffix(".log") && !name.hasSuffix(".index")
        }
    }

    @Test(
        "are all there after a stop and after a kill, the zeros of last blocks are no damage, and positions go on",
        arguments: ["stop", "kill", "stop without tails", "kill without tails"],
        ["moved from the journal": Int.max, "written directly": 1]
    )
    func survive(end: String, way: (key: String, value: Int)) async throws {
        let (isKill, hasTails) = (end.hasPrefix("kill"), !end.hasSuffix("tails"))
        let (folder, copy) = (try TemporaryFolder(), try TemporaryFolder())
        defer {
            folder.remove()
            copy.remove()
        }
        let frames = (0..<60).map { frame($0, bytes: 1_000 + 97 * $0, arrival: Int64($0)) }
        var positions: [Position] = []
        do {
            let log = try open(folder, directBytes: way.value)
            try log.create(shard)
            positions = try append(frames, to: log)
            #expect(positions.count == 60)
            #expect(try await log.readAll(shard).map(\.position) == positions)
            if isKill { try FileManager.default.copyItem(atPath: folder.path + "/log", toPath: copy.path + "/log") }
            log.finish()
        }
        let left = isKill ? copy : folder
        let sizes = try left.segments(shard).map { try Data(contentsOf: $0).count }
        #expect(sizes.count > 2 && sizes.contains { $0 % Segment.block == 0 }, "nothing was written in whole blocks")
        if !hasTails { try? FileManager.default.removeItem(atPath: left.path + "/log/tails") }
        // Of a segment that the journal alone has whole the index is there already: a note.
        _ = try StoreCheck.run(directory: left.path + "/log") { if $0.kind == .damage { Issue.record("\($0)") } }

        do {
            let again = try open(left, directBytes: way.value)
            #expect(try await again.readAll(shard).map(\.position) == positions)
            #expect(try await again.readAll(shard).map(\.number) == Array(0..<60))
            let segments = try #require(try again.find(shard).ifLoaded { $0.segments })
            #expect(zip(segments, segments.dropFirst()).allSatisfy { $0.end == $1.base })
            #expect(try left.segments(shard).count >= sizes.count && leftovers(left) == [])
            let next = try append([frame(60, arrival: 60)], to: again)
            // Behind the last frame, or at the beginning of a segment that begins there.
            let tail = positions[59].rawValue + UInt64(frames[59].bytes.count)
            #expect(next[0].rawValue == tail || next[0].rawValue == tail + Segment.header)
            #expect(try await again.readAll(shard).map(\.number) == Array(0...60))
            again.finish()
        }
        _ = try StoreCheck.run(directory: left.path + "/log") { Issue.record("\($0)") }
    }

    @Test("end with zeros that are told from what a crash tore: of a torn block nothing is taken for padding")
    func torn() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        do {
            let log = try open(folder)
            try log.create(shard)
            _ = try append((10..<22).map { frame($0, bytes: 1_000) }, to: log)
            log.finish()
        }
        let segment = try #require(try folder.segments(shard).last)
        let whole = try Data(contentsOf: segment)
        #expect(whole.count % Segment.block == 0)
        let length = frame(10, bytes: 1_000).bytes.count
        let end = Int(Segment.header) + 12 * length
        // The last frame but for its first byte, a byte of the zeros, and a block of them too many.
        for (at, byte, more, count) in [(end - length + 1, 0, 0, 11), (end + 5, 1, 0, 12), (end, 0, Segment.block, 12)]
        {
            for name in try leftovers(folder) {
                try FileManager.default.removeItem(atPath: "\(folder.path)/log/s-1/0/\(name)")
            }
            for former in try folder.segments(shard) { try FileManager.default.removeItem(at: former) }
            var torn = whole + Data(count: more)
            if at < end { torn.replaceSubrange(at..<end, with: Data(count: end - at)) } else { torn[at] = UInt8(byte) }
            try torn.write(to: segment)
            let again = try folder.reopen()
            #expect(
                try await again.readAll(shard).map(\.number) == Array(10..<10 + count),
                "\(at) of \(end), \(more) more"
            )
            await again.close()
            #expect(try leftovers(folder).contains { $0.contains(".torn-") })
        }
    }

    @Test("go through the page cache while somebody reads the shard from its file")
    func readers() async throws {
        let watched = WatchedDisk(SimulatedDisk(seed: 1))
        let log = try EmbeddedLog.withoutThreads(watched) { configuration in
            (configuration.passingBytes, configuration.applyBytes, configuration.memoryBytes) = (1, 1, 0)
        }
        try log.create(shard)
        let appender = try appender(log)
        let ways = Mutex<[String]>([])
        watched.callback.withLock { callback in
            callback = { call in
                let words = call.split(separator: " ")
                guard words[1].hasSuffix(Segment.suffix), words[0] == "pass" || words[0] == "cache" else { return }
                ways.withLock { $0.append(String(words[0])) }
            }
        }
        /// How an append's frame came to its file.
        func way(_ number: Int) -> String? {
            appender.append([frame(number)]) { _ in }
            while log.thread.turn() {}
            return ways.withLock { $0.last }
        }
        #expect(way(0) == "pass")
        #expect(way(1) == "pass")
        #expect(try log.read(shard, from: .start, maxBytes: 1_000).frames.count == 2)
        #expect(way(2) == "cache")
        #expect(way(3) == "pass")
        #expect(try await log.readAll(shard).map(\.number) == [0, 1, 2, 3])
        log.finish()
    }

    @Test(
        "of a killed process's journal each shard gets its own in one write, what stands around it stays, and one sync does"
    )
    func replay() async throws {
        let disk = SimulatedDisk(seed: 1)
        let shards = (0..<100).map { ShardRef(stream: "s-1", index: UInt32($0)) }
        let change: (inout EmbeddedLog.Configuration) -> Void = { configuration in
            (configuration.passingBytes, configuration.applyBytes) = (1, .max / 128)
        }
        do {
            let log = try EmbeddedLog.withoutThreads(disk, change)
            for shard in shards { try log.create(shard) }
            let appenders = try shards.map { try appender(log, $0) }
            for number in 0..<20 {
                for appender in appenders { appender.append([frame(number, bytes: 500)]) { _ in } }
                while log.thread.turn() {}
                // The first ones are synced in the segments already, and are not written again. Others are there, and are.
                if number == 4 { log.finish() }
                if number == 9 { for shard in shards { try apply(try log.find(shard)) } }
            }
        }
        disk.kill()
        let watched = WatchedDisk(disk)
        let calls = Mutex<[String: Int]>([:])
        watched.callback.withLock { callback in
            callback = { call in
                guard call.hasSuffix(Segment.suffix) else { return }
                calls.withLock { $0[String(call.prefix { $0 != " " }), default: 0] += 1 }
            }
        }
        let log = try EmbeddedLog.withoutThreads(watched, change)
        // Its header and its frames.
        #expect(calls.withLock { $0["write"] } == 2 * shards.count, "\(calls.withLock { $0 })")
        #expect(calls.withLock { $0["sync"] } == nil)
        watched.callback.withLock { $0 = nil }
        for shard in shards { #expect(try await log.readAll(shard).map(\.number) == Array(0..<20)) }
        disk.crash()
        let again = try EmbeddedLog.withoutThreads(disk, change)
        for shard in shards { #expect(try await again.readAll(shard).map(\.number) == Array(0..<20)) }
    }

    @Test("leave no trace in memory where a shard's share of it holds none of them")
    func noShare() throws {
        let log = try EmbeddedLog.withoutThreads(SimulatedDisk(seed: 1)) { $0.memoryBytes = 10 }
        try log.create(shard)
        for number in 0..<5 {
            _ = try append([frame(number)], to: log)
            log.finish()
        }
        #expect(log.settler.keptEntries == 0)
        #expect(try log.find(shard).ifLoaded { $0.recent.first == nil } == true)
    }

    private func apply(_ folder: ShardFolder) throws {
        try folder.files.withLock { files throws(DiskError) in try folder.apply(&files) { _ in } }
    }
}
