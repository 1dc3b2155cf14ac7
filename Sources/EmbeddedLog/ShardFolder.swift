import CChecksums
import DiskIO
import Logging
import RecordBatch
import ShardLog
import Synchronization

/// One shard's folder: its segments, its tail, and who owns it.
///
/// The committer alone moves the tail, and readers see nothing behind it. Frames reach a segment's file in two ways: written
/// and synced in their commit group, or from the journal, where they are durable, some time later (`apply`). Either way they
/// stand in `State.recent` until they are in the file.
final class ShardFolder: Sendable {
    struct State: Sendable {
        /// Ascending by base; the last one is active.
        var segments: [Segment] = []
        var isLoaded = false
        var isClosed = false
        var isDeleted = false
        /// Positions below are not shown any more.
        var first: UInt64 = 0
        /// Grows with every appender: only the newest may append.
        var owner = 0
        /// The last frame, below the tail.
        var last: LastFrame?
        var recent = RecentFrames()
        /// In this segment no mark is due below this position.
        private var nextMark: (base: UInt64, position: UInt64)?
        /// As far as the segments' files have the frames: what may be told to be synced once they are.
        var applied: TailMark?
        /// Of segments that were looked at by time, and of the active one, by base.
        var indexes: [UInt64: SegmentIndex] = [:]
        /// Where the active segment's index has no marks yet: recovery did not read what stands before.
        var indexedFrom: UInt64 = 0
        /// The base of the newest segment that has a file.
        var newestFile: UInt64?
        /// When the oldest frame arrived that is shown, and what `first` was when that was looked up.
        var oldest: (first: UInt64, arrival: Int64)?
        /// Segments that are trimmed, and whose files are still there: a crash or an error came in between.
        var leftovers: [Segment] = []
        /// Somebody has read the active segment's file since frames were last written there.
        var isRead = false
        /// Positions of damage that was told of.
        var toldDamage: Set<UInt64> = []

        var tail: UInt64 { segments.last?.end ?? 0 }

        /// Notes a frame behind all others in its segment's index.
        mutating func note(arrival: Int64, at position: UInt64, in base: UInt64) {
            if let nextMark, nextMark.base == base, position < nextMark.position { return }
            var index = indexes[base] ?? SegmentIndex()
            indexes[base] = nil
            index.note(arrival: arrival, offset: position - base)
            nextMark = index.marks.last.map { (base, base + $0.offset + SegmentIndex.interval) }
            indexes[base] = index
        }

        /// A mark at the tail.
        var markAtTail: TailMark? {
            segments.last.map { TailMark(base: $0.base, size: $0.size, first: first, last: last) }
        }

        /// A mark behind a frame.
        func mark(through frame: RecentFrames.Entry) -> TailMark? {
            segments.index(of: frame.position).map { at in
                TailMark(
                    base: segments[at].base,
                    size: frame.position + UInt64(frame.bytes.count) - segments[at].base,
                    first: first,
                    last: LastFrame(position: frame.position, arrival: frame.arrival)
                )
            }
        }
    }

    /// A frame's place and time.
    struct LastFrame: Sendable, Equatable {
        var position: UInt64
        var arrival: Int64
    }

    /// The side of the files: who holds it writes.
    struct Files: Sendable {
        /// The file that was written last.
        var active: (any DiskFile)?
        /// Its segment.
        var base: UInt64 = 0
        /// Its last block, where nothing was written since that was.
        var tail: SegmentBlocks.Tail?
        /// Grows with every write.
        var writes = 0
        /// A segment's name is not durable yet.
        var hasNewName = false
        /// The file holds frames from the journal that are not synced in it.
        var isDirty = false
        /// A sync failed while it did: they may be missing on the disk, whatever a later sync says.
        var isSuspect = false
    }

    /// What the commits note of it, to find it again without looking it up.
    struct Committing {
        /// The group that it has a part in, and which part that is.
        var group = 0
        var part = 0
        /// The newest generation of the journal that has frames of it.
        var journal: UInt64 = 0
        /// The settler's count of open files that it is in.
        var opened = 0
    }

    // What every commit touches comes first: see `prefetch`.
    let ref: ShardRef
    /// The commit thread's, or that of the pool which writes the journal for it.
    nonisolated(unsafe) var committing = Committing()
    private let needsCut = Atomic(false)
    let waiters = WaiterList()
    private let state = Mutex(State())
    let path: String
    let disk: any Disk
    let logger: Logger
    /// Locked before `state` where both are.
    let files = Mutex(Files())
    /// What the last process knew to be synced.
    private let mark: TailMark?
    private let isClean: Bool
    /// So many bytes at once go to the file past the page cache.
    let passingBytes: Int

    static let closedName = "closed"

    init(
        ref: ShardRef,
        path: String,
        mark: TailMark? = nil,
        isClean: Bool = true,
        passingBytes: Int,
        disk: any Disk,
        logger: Logger
    ) {
        self.ref = ref
        self.path = path
        self.mark = mark
        self.isClean = isClean
        self.passingBytes = passingBytes
        self.disk = disk
        self.logger = logger
    }

    /// Asks for the memory that a commit needs of it: a commit goes through hundreds of shards, and each would be waited for.
    func prefetch() { millrace_prefetch(Unmanaged.passUnretained(self).toOpaque(), Self.hotBytes) }

    private static let hotBytes = 216

    /// The state, loaded. Reading what was not known to be synced is what recovery costs, and it is done once.
    func with<Result>(
        _ body: (inout sending State) throws(ShardLogError) -> sending Result
    ) throws(ShardLogError) -> sending Result {
        try state.withLock { state throws(ShardLogError) in
            if state.isDeleted { throw ShardLogError.notFound }
            if !state.isLoaded {
                do {
                    try ShardRecovery(
                        ref: ref,
                        path: path,
                        mark: mark,
                        isClean: isClean,
                        disk: disk,
                        logger: logger
                    ).load(&state)
                } catch let error as ShardLogError {
                    throw error
                } catch {
                    throw ShardLogError.unavailable("\(error)", retryAfter: .seconds(1))
                }
            }
            return try body(&state)
        }
    }

    /// Bytes of a failed group may stand behind the tail.
    var mustCut: Bool {
        get { needsCut.load(ordering: .acquiring) }
        set { needsCut.store(newValue, ordering: .releasing) }
    }

    /// Whether no crash can have left anything in it that nobody has looked at.
    var isSound: Bool { !mustCut && (isClean || state.withLock { $0.isLoaded }) }

    var isGone: Bool { state.withLock { $0.isDeleted } }

    /// The state when it is loaded and there.
    func ifLoaded<Result>(_ body: (inout sending State) -> sending Result) -> sending Result? {
        state.withLock { state in state.isLoaded && !state.isDeleted ? body(&state) : nil }
    }

    /// Marks the folder as gone; later calls throw `notFound`.
    func delete() {
        state.withLock { state in
            state.isDeleted = true
            state.segments = []
            state.recent.removeAll()
            state.indexes = [:]
        }
        files.withLock { $0 = Files() }
        waiters.wake()
    }

    /// Bytes of its segments' files.
    func countBytes() throws(DiskError) -> UInt64 {
        var bytes: UInt64 = 0
        for name in try disk.list(path) where Segment.base(ofName: name) != nil {
            bytes += try disk.open(path + "/" + name, .read).size()
        }
        return bytes
    }

    /// Lets go of the open file; it is opened again when it is needed.
    func releaseFile() { files.withLock { $0.active = nil } }
}
