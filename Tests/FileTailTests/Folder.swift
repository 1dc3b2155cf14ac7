import FileTail
import Foundation
import Glibc
import Synchronization

/// A folder for one test, removed with it.
final class Folder {
    let path: String

    init() {
        path = "\(NSTemporaryDirectory())filetail-\(UUID().uuidString)"
        mkdir(path, 0o755)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    subscript(_ name: String) -> String { "\(path)/\(name)" }

    func append(_ text: String, to name: String) {
        let descriptor = open(self[name], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        precondition(descriptor >= 0)
        let bytes = Array(text.utf8)
        precondition(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    func move(_ from: String, _ to: String) { precondition(rename(self[from], self[to]) == 0) }

    func copy(_ from: String, _ to: String) throws {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: self[from]))
        // In place, as cp does: no temporary file that is renamed.
        guard FileManager.default.createFile(atPath: self[to], contents: nil) else {
            throw CocoaError(.fileWriteUnknown)
        }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: self[to]))
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    func truncate(_ name: String) { precondition(Glibc.truncate(self[name], 0) == 0) }

    func remove(_ name: String) { precondition(unlink(self[name]) == 0) }

    func exists(_ name: String) -> Bool { access(self[name], F_OK) == 0 }
}

/// A clock that tests move.
final class TestClock: Sendable {
    private let time = Mutex<Int64>(1_000_000)
    func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
    var now: Int64 { time.withLock { $0 } }
}

struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A destination that keeps each (source, number) once, and what an owner of a `FileTail` does around it.
final class Shipper {
    struct Wrong: Error, CustomStringConvertible {
        var description: String
    }

    let configuration: FileTailConfiguration
    let clock = TestClock()
    private(set) var tail: FileTail
    private(set) var records: [SourceID: [Int64: String]] = [:]
    /// What happened, for a test that fails.
    var log: [String] = []
    private(set) var notices: [FileTailNotice] = []
    private var saved: [FileCheckpoint] = []
    private var savedRevision: UInt64 = 0
    private var unacknowledged: [(SourceID, Int64, Int64)] = []

    init(_ configuration: FileTailConfiguration) throws {
        self.configuration = configuration
        let clock = clock
        tail = try FileTail(configuration, restoring: [], nowMilliseconds: { clock.now })
    }

    func refresh() throws {
        clock.advance(10)
        let news = try tail.refresh()
        notices += news
        log.append("refresh: " + news.map { "\($0.source?.description ?? "-") \($0.message)" }.joined(separator: "; "))
        if tail.revision != savedRevision { save() }
    }

    /// One chunk to the destination, not acknowledged yet.
    @discardableResult
    func ship(maxBytes: Int = 1 << 20) throws -> Bool {
        guard let chunk = tail.next(maxBytes: maxBytes) else { return false }
        log.append(
            "chunk \(chunk.source) \(chunk.startOffset)..\(chunk.endOffset), \(chunk.count) from \(chunk.firstSequence)"
        )
        if tail.revision != savedRevision { save() }
        guard chunk.recordEnds.last == chunk.bytes.count, chunk.recordOffsets.last == chunk.endOffset else {
            throw Wrong(description: "ends do not fit")
        }
        for index in 0..<chunk.count {
            let text = String(decoding: chunk.bytes[chunk.range(ofRecord: index)], as: UTF8.self)
            let number = chunk.firstSequence + Int64(index)
            if let before = records[chunk.source]?[number], before != text {
                throw Wrong(description: "\(chunk.source) \(number) was \(before), is \(text)")
            }
            records[chunk.source, default: [:]][number] = text
            unacknowledged.append((chunk.source, chunk.recordOffsets[index], number + 1))
        }
        return true
    }

    func acknowledge(_ count: Int = .max) {
        for (source, offset, sequence) in unacknowledged.prefix(count) {
            tail.acknowledge(source, offset: offset, sequence: sequence)
        }
        unacknowledged.removeFirst(min(count, unacknowledged.count))
    }

    func save() {
        saved = tail.checkpoints()
        savedRevision = tail.revision
    }

    func drain(rounds: Int = 4) throws {
        for _ in 0..<rounds {
            try refresh()
            while try ship() {}
            acknowledge()
        }
        save()
    }

    /// As after a SIGKILL.
    func restart() throws {
        unacknowledged = []
        let clock = clock
        tail = try FileTail(configuration, restoring: saved, hasRunBefore: true, nowMilliseconds: { clock.now })
        savedRevision = 0
    }

    var sourceTexts: [String] {
        records.values.map { $0.sorted { $0.key < $1.key }.map(\.value).joined() }
    }

    /// All lines shipped, sorted. Throws when numbers are not dense.
    func lines() throws -> [String] {
        for (source, numbered) in records where Int64(numbered.count) != (numbered.keys.max() ?? -1) + 1 {
            throw Wrong(description: "numbers of \(source) are not dense")
        }
        return sourceTexts.flatMap { $0.split(separator: "\n").map(String.init) }.sorted()
    }
}
