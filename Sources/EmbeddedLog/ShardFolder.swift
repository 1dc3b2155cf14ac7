import DiskIO
import Glibc
import Logging
import RecordBatch
import ShardLog
import Synchronization

/// One shard's folder: its segments, its tail, and who owns it.
///
/// The commit thread alone writes; readers see only what lies below the durable tail, which moves after the sync.
final class ShardFolder: Sendable {
    struct State: Sendable {
        /// Ascending by base; the last one is active. Empty until loaded.
        var segments: [Segment] = []
        var isLoaded = false
        var isClosed = false
        var isDeleted = false
        /// Positions below are not shown any more.
        var first: UInt64 = 0
        /// Grows with every appender: only the newest may append.
        var owner = 0
        /// The active segment, while it is open.
        var active: (any DiskFile)?

        var tail: UInt64 { segments.last?.end ?? 0 }
        var last: UInt64? {
            for segment in segments.reversed() {
                if let offset = segment.lastFrame, segment.base + offset >= first { return segment.base + offset }
                if segment.isLoaded == false { return segment.first }
            }
            return nil
        }
    }

    let ref: ShardRef
    let path: String
    let waiters = WaiterList()
    private let state = Mutex(State())

    static let closedName = "closed"

    private let logger: Logger

    let disk: any Disk

    init(ref: ShardRef, path: String, disk: any Disk, logger: Logger) {
        self.disk = disk
        self.ref = ref
        self.path = path
        self.logger = logger
    }

    /// The state, loaded. Reading the active segment is what recovery costs, and it is done once.
    func with<Result>(
        _ body: (inout sending State) throws(ShardLogError) -> sending Result
    ) throws(ShardLogError) -> sending Result {
        try state.withLock { state throws(ShardLogError) in
            if state.isDeleted { throw ShardLogError.notFound }
            if !state.isLoaded {
                do {
                    try load(&state)
                } catch let error as ShardLogError {
                    throw error
                } catch {
                    throw ShardLogError.unavailable("\(error)", retryAfter: .seconds(1))
                }
            }
            return try body(&state)
        }
    }

    /// Marks the folder as gone; later calls throw `notFound`.
    func delete() {
        state.withLock { state in
            state.isDeleted = true
            state.active = nil
            state.segments = []
        }
        waiters.wake()
    }

    /// Lets go of the open file; it is opened again when it is needed.
    func releaseFile() { state.withLock { $0.active = nil } }

    // MARK: - Loading

    /// Throws `DiskError`, and `ShardLogError.corrupt` for what another version wrote.
    private func load(_ state: inout State) throws {
        let names = try disk.list(path)
        state.isClosed = names.contains(Self.closedName)
        state.segments = try names.compactMap(Segment.base(ofName:)).sorted().map { base throws(DiskError) in
            var segment = Segment(base: base, isLoaded: false)
            segment.size = try disk.open(path + "/" + segment.name, .read).size()
            return segment
        }
        // A crash between making a file and syncing its header leaves a last one without a header, and without anything
        // that was acknowledged.
        if let last = state.segments.last, try !hasHeader(last) {
            try disk.remove(path + "/" + last.name)
            state.segments.removeLast()
        }
        if let last = state.segments.indices.last {
            let size = state.segments[last].size
            state.segments[last] = try recover(state.segments[last])
            // Where the last segment has no frame, the one before it holds the last frame.
            if state.segments[last].lastFrame == nil, last > 0 {
                state.segments[last - 1] = try fill(state.segments[last - 1])
            }
            // Positions that were cut off are not given out again: if they were damage and not a torn tail, somebody may
            // know them.
            if state.segments[last].size < size, !state.isClosed {
                let next = Segment(base: state.segments[last].base + size)
                do throws(DiskError) {
                    try Segment.makeFile(path, on: disk, base: next.base).sync()
                    state.segments.append(next)
                } catch {
                    // What is stored must stay readable on a full disk.
                    guard error.isOutOfSpace else { throw error }
                    try disk.remove(path + "/" + next.name)
                }
            }
        }
        state.first = max(state.first, state.segments.first?.first ?? 0)
        state.isLoaded = true
    }

    /// False when the header was never written. Throws `corrupt` when it is another version's.
    private func hasHeader(_ segment: Segment) throws -> Bool {
        let file = try disk.open(path + "/" + segment.name, .read)
        let bytes = try file.read(Int(Segment.header), at: 0)
        if Segment.isHeader(bytes, base: segment.base) { return true }
        if bytes.allSatisfy({ $0 == 0 }) || bytes.count < Int(Segment.header) { return false }
        throw ShardLogError.corrupt(
            "\(path)/\(segment.name) has no header of this version: start the program that wrote it"
        )
    }

    /// Reads the active segment and cuts off what a crash left unfinished. All that is left is made durable before anybody
    /// sees it: a process that was killed may have written it and not synced it.
    private func recover(_ segment: Segment) throws -> Segment {
        let file = try disk.open(path + "/" + segment.name, .write)
        var recovered = Segment(base: segment.base, size: segment.size)
        let walk = SegmentWalk(file: file, limit: segment.size, verifies: true)
        let end = try walk.run(from: Segment.header) { offset, header in
            recovered.note(arrival: header.arrivalMilliseconds, offset: offset)
            return true
        }
        if case .broken(let offset, let error) = end {
            if case .version(let version) = error {
                throw ShardLogError.corrupt(
                    "\(path)/\(segment.name) holds a frame of version \(version) at \(offset): start the program that wrote it"
                )
            }
            if try Self.isDamage(file, at: offset, limit: segment.size) {
                // Everything stays; reading the broken frame is refused.
                logger.error(
                    "a frame is damaged, and whole ones stand behind it",
                    metadata: ["file": "\(path)/\(segment.name)", "offset": "\(offset)", "error": "\(error)"]
                )
            } else {
                try cutTail(file, segment, at: offset)
                recovered.size = offset
            }
        }
        try file.sync()
        try disk.syncFolder(path)
        return recovered
    }

    /// Cuts off what is no whole frame, and keeps it beside: usually an append that a crash interrupted, but nobody can tell
    /// that from a last frame that was damaged.
    private func cutTail(_ file: any DiskFile, _ segment: Segment, at offset: UInt64) throws(DiskError) {
        let kept = "\(path)/\(segment.name).torn-\(offset)"
        do throws(DiskError) {
            try disk.replace(kept, with: try file.read(Int(segment.size - offset), at: offset))
        } catch {
            // A full disk is where appends are torn, and what is stored must stay readable there: no copy is made then.
            guard error.isOutOfSpace else { throw error }
            try disk.remove(kept + ".new")
        }
        try file.truncate(to: offset)
        logger.warning(
            "bytes that are no whole frame were cut off behind the last one",
            metadata: [
                "file": "\(path)/\(segment.name)", "offset": "\(offset)", "bytes": "\(segment.size - offset)",
                "kept": "\(kept)",
            ]
        )
    }

    /// Whether what is no whole frame at `offset` was whole once: a frame behind it was written after a sync of it. Frames of
    /// its own commit group say nothing: a power cut may keep a later one and lose an earlier one, and none of them was
    /// acknowledged.
    private static func isDamage(
        _ file: any DiskFile,
        at offset: UInt64,
        limit: UInt64
    ) throws(DiskError) -> Bool {
        let bytes = try file.read(Int(limit - offset), at: offset)
        return bytes.withUnsafeBytes { bytes in
            // Its own records may hold bytes that look like frames; they are passed over where its length can be trusted.
            var at = FrameView.length(ofDamaged: bytes) ?? 1
            while at + FrameHeader.size <= bytes.count {
                guard let found = memchr(bytes.baseAddress! + at, Int32(UInt8(ascii: "K")), bytes.count - at) else {
                    return false
                }
                at = UnsafeRawPointer(found) - bytes.baseAddress!
                if let frame = try? FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[at...])) {
                    if at > frame.header.unsyncedBytes { return true }
                    at += frame.header.frameLength
                } else {
                    at += 1
                }
            }
            return false
        }
    }

    /// Reads the headers of a sealed segment, once.
    func fill(_ segment: Segment) throws(DiskError) -> Segment {
        if segment.isLoaded { return segment }
        var filled = Segment(base: segment.base, size: segment.size)
        let file = try disk.open(path + "/" + segment.name, .read)
        _ = try SegmentWalk(file: file, limit: segment.size, verifies: false).run(from: Segment.header) {
            offset,
            header in
            filled.note(arrival: header.arrivalMilliseconds, offset: offset)
            return true
        }
        return filled
    }
}
