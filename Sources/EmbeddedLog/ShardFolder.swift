import DiskIO
import Glibc
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
        var active: DiskFile?

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

    init(ref: ShardRef, path: String) {
        self.ref = ref
        self.path = path
    }

    /// The state, loaded. Reading the active segment is what recovery costs, and it is done once.
    func with<Result>(
        _ body: (inout sending State) throws(ShardLogError) -> sending Result
    ) throws(ShardLogError) -> sending Result {
        try state.withLock { state throws(ShardLogError) in
            if state.isDeleted { throw ShardLogError.notFound }
            if !state.isLoaded {
                do throws(DiskError) {
                    try load(&state)
                } catch {
                    throw ShardLogError.unavailable(error.description, retryAfter: .seconds(1))
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

    private func load(_ state: inout State) throws(DiskError) {
        let names = try Disk.list(path)
        state.isClosed = names.contains(Self.closedName)
        state.segments = try names.compactMap(Segment.base(ofName:)).sorted().map { base throws(DiskError) in
            var segment = Segment(base: base, isLoaded: false)
            segment.size = try DiskFile(path + "/" + segment.name, flags: O_RDONLY).size()
            return segment
        }
        // A crash between making a file and writing its header leaves an empty last one.
        if let last = state.segments.last, last.size < Segment.header {
            try Disk.remove(path + "/" + last.name)
            state.segments.removeLast()
        }
        if let last = state.segments.indices.last {
            state.segments[last] = try recover(state.segments[last])
            // Where the last segment has no frame, the one before it holds the last frame.
            if state.segments[last].lastFrame == nil, last > 0 {
                state.segments[last - 1] = try fill(state.segments[last - 1])
            }
        }
        state.first = max(state.first, state.segments.first?.first ?? 0)
        state.isLoaded = true
    }

    /// Reads the active segment and cuts off what a crash left unfinished.
    private func recover(_ segment: Segment) throws(DiskError) -> Segment {
        let file = try DiskFile(path + "/" + segment.name, flags: O_RDWR)
        var recovered = Segment(base: segment.base, size: segment.size)
        let walk = SegmentWalk(file: file, limit: segment.size, verifies: true)
        let end = try walk.run(from: Segment.header) { offset, header in
            recovered.note(arrival: header.arrivalMilliseconds, offset: offset)
            return true
        }
        if case .broken(let offset, _) = end {
            if try Self.hasFrame(file, after: offset, limit: segment.size) {
                // Whole frames behind a broken one: this is no torn tail but damage. Everything stays; reading the broken
                // frame is refused.
                recovered.size = segment.size
            } else {
                try file.truncate(to: offset)
                try file.sync()
                recovered.size = offset
            }
        }
        return recovered
    }

    /// Whether a whole frame starts anywhere behind `offset`.
    private static func hasFrame(_ file: DiskFile, after offset: UInt64, limit: UInt64) throws(DiskError) -> Bool {
        let bytes = try file.read(Int(limit - offset), at: offset)
        return bytes.withUnsafeBytes { bytes in
            var at = 1
            while at + FrameHeader.size <= bytes.count {
                guard let found = memchr(bytes.baseAddress! + at, Int32(UInt8(ascii: "K")), bytes.count - at) else {
                    return false
                }
                at = UnsafeRawPointer(found) - bytes.baseAddress!
                if (try? FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[at...]))) != nil { return true }
                at += 1
            }
            return false
        }
    }

    /// Reads the headers of a sealed segment, once.
    func fill(_ segment: Segment) throws(DiskError) -> Segment {
        if segment.isLoaded { return segment }
        var filled = Segment(base: segment.base, size: segment.size)
        let file = try DiskFile(path + "/" + segment.name, flags: O_RDONLY)
        _ = try SegmentWalk(file: file, limit: segment.size, verifies: false).run(from: Segment.header) {
            offset,
            header in
            filled.note(arrival: header.arrivalMilliseconds, offset: offset)
            return true
        }
        return filled
    }
}
