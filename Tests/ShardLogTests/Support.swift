import EmbeddedLog
import Foundation
import Logging
import RecordBatch
import ShardLog

/// A frame of one record that holds its number.
func frame(_ number: Int, bytes: Int = 16, arrival: Int64 = 0, key: FrameKey? = nil) -> AppendFrame {
    var run = RecordRun(key: key, reserving: bytes + 32)
    let value = Array("\(number) ".utf8) + [UInt8](repeating: 0x2E, count: bytes)
    value.withUnsafeBytes { run.append(key: UnsafeRawBufferPointer(start: nil, count: 0), value: $0) }
    return AppendFrame(
        bytes: FrameEncoder.seal(
            [run],
            shard: 0,
            baseOffset: Int64(number),
            arrivalMilliseconds: arrival,
            epoch: 0,
            source: .kinesis
        ),
        arrivalMilliseconds: arrival
    )
}

extension ShardAppender {
    /// Appends and waits.
    func append(_ frames: [AppendFrame]) async throws -> [Position] {
        try await withCheckedThrowingContinuation { continuation in
            append(frames) { result in continuation.resume(with: result) }
        }
    }
}

extension ShardLog {
    /// Every frame's position and number; every frame is verified.
    func readAll(_ shard: ShardRef) async throws -> [(position: Position, number: Int)] {
        var (position, all) = (Position.start, [(position: Position, number: Int)]())
        while true {
            let slab = try await read(shard, from: position, maxBytes: 50_000)
            if slab.frames.isEmpty { return all }
            for frame in slab.frames {
                try slab.bytes.withUnsafeBytes { bytes in
                    try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range])).forEachRecord(
                        from: 0
                    ) { _, _, value in
                        let text = String(decoding: value, as: UTF8.self)
                        all.append((frame.position, Int(text.prefix { $0 != " " }) ?? -1))
                        return true
                    }
                }
            }
            position = slab.next
        }
    }
}

/// A folder of a test's own.
struct TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-" + UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func open(segmentBytes: UInt64 = 100_000) throws -> EmbeddedLog {
        try EmbeddedLog.open(
            directory: path + "/log",
            configuration: EmbeddedLog.Configuration(segmentBytes: segmentBytes),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// Opens what a power cut left: written where it stays, with nothing known to be synced.
    func reopen(segmentBytes: UInt64 = 100_000) throws -> EmbeddedLog {
        try? FileManager.default.removeItem(atPath: path + "/log/tails")
        var configuration = EmbeddedLog.Configuration(segmentBytes: segmentBytes)
        configuration.directBytes = 1
        return try EmbeddedLog.open(
            directory: path + "/log",
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// The segments of a shard, oldest first.
    func segments(_ shard: ShardRef) throws -> [URL] {
        let folder = URL(fileURLWithPath: "\(path)/log/\(shard.stream)/\(shard.index)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "log" }.sorted { $0.path < $1.path }
    }
}

/// Passes on how appends of single frames ended.
final class Teller: AppendCaller {
    private let told: @Sendable (Int, Result<Position, ShardLogError>) -> Void

    init(_ told: @escaping @Sendable (Int, Result<Position, ShardLogError>) -> Void) { self.told = told }

    func appended(_ tag: Int, _ result: Result<Position, ShardLogError>) { told(tag, result) }
}
