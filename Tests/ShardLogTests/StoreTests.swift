import DiskIO
import Foundation
import Logging
import RecordBatch
import ShardLog
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
