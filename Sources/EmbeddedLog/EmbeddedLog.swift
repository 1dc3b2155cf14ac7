import DiskIO
import Glibc
import Logging
import RecordBatch
import ShardLog
import Synchronization

/// Every shard's log in files of one machine.
///
///     DIRECTORY/lock                         one process at a time
///     DIRECTORY/<stream>/<shard index>/      a shard
///         0000000000000000.log               segments, see `Segment`
///         closed                             there when the shard is sealed
///         0000000000000000.log.torn-64       what recovery cut off at an offset; goes with its segment
///     DIRECTORY/.deleted-<...>/              on its way out
///
/// An append is acknowledged after its file's fdatasync, which all appends of a group share (`CommitThread`). Opening reads
/// no history: a shard's active segment is read when the shard is first used.
public final class EmbeddedLog: ShardLog {
    /// Sizes.
    public struct Configuration: Sendable {
        /// A segment is sealed when it is at least this large: 64 MiB.
        public var segmentBytes: UInt64
        /// Shards whose active file is kept open.
        public var openFileLimit: Int

        /// Defaults.
        public init(segmentBytes: UInt64 = 64 * 1024 * 1024, openFileLimit: Int = 512) {
            self.segmentBytes = segmentBytes
            self.openFileLimit = openFileLimit
        }
    }

    private let disk: any Disk
    private let directory: String
    private let thread: CommitThread
    private let logger: Logger
    /// Held while the log is open.
    private let lock: Mutex<(any DiskFile)?>
    private let shards = Mutex<[ShardRef: ShardFolder]>([:])

    /// The folder is another process's.
    public struct InUse: Error, CustomStringConvertible {
        /// What, where and what to do.
        public var description: String
    }

    /// Opens a folder, made when missing. Throws `DiskError`, and `InUse` when another process has it.
    public static func open(
        directory: String,
        disk: any Disk = POSIXDisk(),
        configuration: Configuration = Configuration(),
        logger: Logger
    ) throws -> EmbeddedLog {
        try disk.makeFolders(directory)
        let lock = try disk.open(directory + "/lock", .create)
        guard try lock.lock() else {
            throw InUse(description: "\(directory) is in use by another process: stop that one, or use another folder")
        }
        let log = EmbeddedLog(directory, disk, configuration, lock, logger)
        try log.scan()
        log.thread.start()
        return log
    }

    private init(
        _ directory: String,
        _ disk: any Disk,
        _ configuration: Configuration,
        _ lock: any DiskFile,
        _ logger: Logger
    ) {
        self.directory = directory
        self.disk = disk
        self.lock = Mutex(lock)
        self.logger = logger
        thread = CommitThread(configuration: configuration, logger: logger)
    }

    /// Commits what is queued and stops. Appends are refused afterwards.
    public func close() async {
        await thread.stop()
        lock.withLock { $0 = nil }
    }

    private func scan() throws(DiskError) {
        for stream in try disk.list(directory) where stream != "lock" {
            let path = directory + "/" + stream
            if stream.hasPrefix(".deleted-") {
                try disk.removeFolder(path)
                continue
            }
            for name in try disk.list(path) {
                guard let index = UInt32(name) else { continue }
                let ref = ShardRef(stream: stream, index: index)
                shards.withLock { $0[ref] = ShardFolder(ref: ref, path: path + "/" + name, disk: disk, logger: logger) }
            }
        }
    }

    private func find(_ shard: ShardRef) throws(ShardLogError) -> ShardFolder {
        guard let folder = shards.withLock({ $0[shard] }) else { throw .notFound }
        return folder
    }

    // MARK: - Shards

    public func create(_ shard: ShardRef) throws(ShardLogError) {
        if shards.withLock({ $0[shard] != nil }) { return }
        let path = directory + "/" + shard.stream + "/" + String(shard.index)
        try Self.translating { () throws(DiskError) in try disk.makeFolders(path) }
        shards.withLock { shards in
            if shards[shard] == nil { shards[shard] = ShardFolder(ref: shard, path: path, disk: disk, logger: logger) }
        }
    }

    public func delete(_ shard: ShardRef) throws(ShardLogError) {
        guard let folder = shards.withLock({ $0[shard] }) else { return }
        folder.delete()
        let grave = directory + "/.deleted-" + shard.stream + "-" + String(shard.index)
        try Self.translating { () throws(DiskError) in
            // Called again after a failure: it is in its grave already.
            if disk.exists(folder.path) { try disk.move(folder.path, to: grave) }
            try disk.syncFolder(POSIXDisk.parent(folder.path))
            if disk.exists(grave) { try disk.removeFolder(grave) }
        }
        shards.withLock { $0[shard] = nil }
        // The last shard takes its stream's folder along; one that is not empty stays.
        try Self.translating { () throws(DiskError) in
            _ = try disk.removeEmptyFolder(directory + "/" + shard.stream)
        }
    }

    public func list() -> [ShardRef] { shards.withLock { $0.keys.sorted() } }

    public func bounds(_ shard: ShardRef) throws(ShardLogError) -> LogBounds {
        try find(shard).with { state throws(ShardLogError) in
            let last = state.last
            return LogBounds(
                first: Position(rawValue: state.first),
                tail: Position(rawValue: state.tail),
                last: last.map { Position(rawValue: $0) },
                isClosed: state.isClosed
            )
        }
    }

    public func openAppender(
        _ shard: ShardRef,
        expecting tail: Position?
    ) throws(ShardLogError) -> any ShardAppender {
        let folder = try find(shard)
        let (owner, end) = try folder.with { state throws(ShardLogError) in
            if state.isClosed { throw ShardLogError.closed }
            let end = Position(rawValue: state.tail)
            if let tail, tail != end { throw ShardLogError.conflict(actual: end) }
            state.owner += 1
            return (state.owner, end)
        }
        return EmbeddedAppender(shard: folder, owner: owner, tail: end, thread: thread)
    }

    // MARK: - Reading

    public func read(_ shard: ShardRef, from position: Position, maxBytes: Int) throws(ShardLogError) -> FrameSlab {
        let folder = try find(shard)
        let (segments, first, isClosed) = try folder.with { state throws(ShardLogError) in
            (state.segments, state.first, state.isClosed)
        }
        let from = max(position.rawValue, first)
        guard let tail = segments.last?.end else {
            return FrameSlab(bytes: [], frames: [], next: position, isAtEnd: isClosed)
        }
        guard let at = segments.firstIndex(where: { from < $0.end }) else {
            return FrameSlab(bytes: [], frames: [], next: Position(rawValue: max(from, tail)), isAtEnd: isClosed)
        }
        var segment = segments[at]
        let offset = max(from, segment.first) - segment.base
        // Nothing but a header: the next segment, if there is one, goes on.
        if offset >= segment.size {
            guard at + 1 < segments.count else {
                return FrameSlab(bytes: [], frames: [], next: Position(rawValue: tail), isAtEnd: isClosed)
            }
            return try read(shard, from: Position(rawValue: segments[at + 1].first), maxBytes: maxBytes)
        }
        do {
            let file = try folder.disk.open(folder.path + "/" + segment.name, .read)
            var slab = try Self.slab(file, segment, offset, maxBytes)
            if slab == nil {
                // The position is none of a frame's, as a made-up sequence number has it: the next frame is meant.
                segment = try folder.fill(segment)
                let (start, end) = try Self.nextFrame(file, segment, offset)
                if let start {
                    slab = try Self.slab(file, segment, start, maxBytes)
                } else if end == .whole, at + 1 < segments.count {
                    return try read(shard, from: Position(rawValue: segments[at + 1].first), maxBytes: maxBytes)
                } else if end == .whole {
                    return FrameSlab(bytes: [], frames: [], next: Position(rawValue: tail), isAtEnd: isClosed)
                }
            }
            guard var slab else {
                throw DiskError("frame", folder.path + "/" + segment.name, number: EBADMSG)
            }
            if slab.next.rawValue >= segment.end, at + 1 < segments.count {
                slab.next = Position(rawValue: segments[at + 1].first)
            }
            slab.isAtEnd = isClosed && slab.next.rawValue >= tail
            return slab
        } catch let error as ShardLogError {
            throw error
        } catch {
            let error = error as? DiskError ?? DiskError("read", folder.path)
            if error.number == EBADMSG {
                throw .corrupt("\(folder.path)/\(segment.name) holds bytes at \(offset) that are no frame")
            }
            throw .unavailable(error.description, retryAfter: .seconds(1))
        }
    }

    /// Whole frames from an offset; nil when none starts there.
    private static func slab(
        _ file: any DiskFile,
        _ segment: Segment,
        _ offset: UInt64,
        _ maxBytes: Int
    ) throws(DiskError) -> FrameSlab? {
        let rest = Int(segment.size - offset)
        var bytes = try file.read(min(rest, max(maxBytes, 4096)), at: offset)
        guard let first = header(bytes, 0), first.frameLength <= rest else { return nil }
        if first.frameLength > bytes.count { bytes = try file.read(first.frameLength, at: offset) }
        var slab = FrameSlab(bytes: [], frames: [], next: Position(rawValue: segment.base + offset), isAtEnd: false)
        var at = 0
        while at < bytes.count, let header = header(bytes, at), header.frameLength <= bytes.count - at {
            // The bytes read are the limit, but where a page of them was read only to see a header.
            if at > 0, at + header.frameLength > maxBytes { break }
            slab.frames.append(
                FrameSlab.Frame(
                    position: Position(rawValue: segment.base + offset + UInt64(at)),
                    range: at..<at + header.frameLength
                )
            )
            at += header.frameLength
        }
        bytes.removeSubrange(at...)
        slab.bytes = bytes
        slab.next = Position(rawValue: segment.base + offset + UInt64(at))
        return slab
    }

    private static func header(_ bytes: [UInt8], _ offset: Int) -> FrameHeader? {
        bytes.withUnsafeBytes { bytes in
            try? FrameHeader(peeking: UnsafeRawBufferPointer(rebasing: bytes[offset...]))
        }
    }

    /// The first frame that starts at or behind an offset.
    private static func nextFrame(
        _ file: any DiskFile,
        _ segment: Segment,
        _ offset: UInt64
    ) throws(DiskError) -> (offset: UInt64?, end: SegmentWalk.End) {
        var found: UInt64?
        let end = try SegmentWalk(file: file, limit: segment.size, verifies: false)
            .run(from: segment.start(forOffset: offset)) { at, _ in
                if at >= offset { found = at }
                return found == nil
            }
        return (found, end)
    }

    public func wait(_ shard: ShardRef, past position: Position, upTo limit: Duration) async {
        guard let folder = try? find(shard) else { return }
        await folder.waiters.wait(upTo: limit) {
            guard let isReady = try? folder.with({ $0.tail > position.rawValue || $0.isClosed }) else { return true }
            return isReady
        }
    }

    public func position(
        _ shard: ShardRef,
        arrivedAtOrAfter arrivalMilliseconds: Int64
    ) throws(ShardLogError) -> Position {
        let folder = try find(shard)
        return try folder.with { state throws(ShardLogError) in
            let found = try Self.translating { () throws(DiskError) in
                try Self.find(arrivalMilliseconds, folder, &state)
            }
            return Position(rawValue: max(found ?? state.tail, state.first))
        }
    }

    /// The first frame that arrived then or later. Segments are looked at by halves: a search in a long log reads the
    /// headers of few files, each once in the process's life.
    private static func find(
        _ arrival: Int64,
        _ folder: ShardFolder,
        _ state: inout ShardFolder.State
    ) throws(DiskError) -> UInt64? {
        var (low, high) = (0, state.segments.count)
        while low < high {
            let middle = (low + high) / 2
            state.segments[middle] = try folder.fill(state.segments[middle])
            // One without frames says nothing: it can only be the newest.
            if let last = state.segments[middle].lastArrival, last < arrival { low = middle + 1 } else { high = middle }
        }
        guard low < state.segments.count else { return nil }
        let segment = state.segments[low]
        guard segment.lastArrival != nil else { return nil }
        let file = try folder.disk.open(folder.path + "/" + segment.name, .read)
        var found: UInt64?
        _ = try SegmentWalk(file: file, limit: segment.size, verifies: false)
            .run(from: segment.start(forArrival: arrival)) { offset, header in
                if header.arrivalMilliseconds >= arrival { found = segment.base + offset }
                return found == nil
            }
        return found
    }

    // MARK: - Retention

    public func trim(_ shard: ShardRef, arrivedBefore arrivalMilliseconds: Int64) throws(ShardLogError) {
        let folder = try find(shard)
        let gone = try folder.with { state throws(ShardLogError) in
            try Self.translating { () throws(DiskError) in
                // Nothing to do is the usual case, and must stay cheap: the oldest frame is looked at first.
                guard let oldest = state.segments.first else { return [Segment]() }
                state.segments[0] = try folder.fill(oldest)
                guard let arrival = state.segments[0].marks.first?.arrival, arrival < arrivalMilliseconds else {
                    return []
                }
                let first = try Self.find(arrivalMilliseconds, folder, &state) ?? state.tail
                state.first = max(state.first, first)
                // The active segment stays, so that the tail is known.
                let kept = state.segments.dropLast().firstIndex { $0.end > state.first } ?? state.segments.count - 1
                let gone = Array(state.segments[..<kept])
                state.segments.removeFirst(kept)
                return gone
            }
        }
        try Self.translating { () throws(DiskError) in
            if gone.isEmpty { return }
            let torn = try disk.list(folder.path).filter { $0.contains(".torn-") }
            for segment in gone {
                try disk.remove(folder.path + "/" + segment.name)
                for name in torn where name.hasPrefix(segment.name) { try disk.remove(folder.path + "/" + name) }
            }
        }
    }

    private static func translating<Result>(
        _ body: () throws(DiskError) -> sending Result
    ) throws(ShardLogError) -> sending Result {
        do throws(DiskError) {
            return try body()
        } catch {
            throw .unavailable(error.description, retryAfter: .seconds(1))
        }
    }
}
