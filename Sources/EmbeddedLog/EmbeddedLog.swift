import DiskIO
import Glibc
import Logging
import RecordBatch
import ShardLog
import Synchronization

/// Every shard's log in files of one machine.
///
///     DIRECTORY/lock                         one process at a time
///     DIRECTORY/tails                        what is known to be synced, see `TailMarks`
///     DIRECTORY/journal/                     what is not in its segments yet, see `Journal`
///     DIRECTORY/<stream>/<shard index>/      a shard
///         0000000000000000.log               segments, see `Segment`
///         0000000000000000.index             of a sealed one, see `SegmentIndex`
///         0000000000000000.log.torn-64       what recovery cut off at an offset; goes with its segment
///         closed                             there when the shard is sealed
///     DIRECTORY/.deleted-<...>/              on its way out
///
/// An append is acknowledged after a sync that all appends of its group share (`Committer`). Opening reads the journal and no
/// history: what of a shard is not known to be synced is read when the shard is first used.
public final class EmbeddedLog: ShardLog {
    /// Sizes.
    public struct Configuration: Sendable {
        /// A segment is sealed when it is at least this large: 64 MiB.
        public var segmentBytes: UInt64
        /// Shards whose active file is kept open, about: 512.
        public var openFileLimit: Int
        /// Bytes of recent frames that are kept in memory for readers at the tail: 32 MiB. Frames that stand in the journal
        /// alone are in memory, too, whatever this says: as much as two journal files at most. What is kept keeps the memory of
        /// its group, and may be twice as much therefore.
        public var memoryBytes = 32 << 20
        /// What a commit group has of a shard is written directly when it is so much: 64 KiB. It goes past the page cache as below.
        public var directBytes = 64 << 10
        /// So much of a shard waits in memory at most before it is written into its segment: 128 KiB.
        public var applyBytes = 128 << 10
        /// What is moved of a shard from the journal at once goes past the page cache when it is so much, unless somebody reads
        /// the shard from its file meanwhile: 32 KiB.
        public var passingBytes = 32 << 10
        /// A journal file is full when it is so large: 96 MiB. The larger, the more each of many shards has in it, to be written at
        /// once; two of them stand in memory at most, and are read when a killed process is started again.
        public var journalFileBytes: UInt64 = 96 << 20
        /// With less free than this on the disk nothing goes through the journal: what is acknowledged must not need more
        /// room later. 192 MiB, two journal files.
        public var tightBytes: UInt64 = 192 << 20
        /// All segments together take no more than this, about: appends are refused until retention, or a deletion, has made
        /// room, for nothing is let go of before its time. nil: what the disk has.
        public var storeBytes: UInt64?
        /// Appends wait while so many full ones are not settled: 2.
        public var journalFiles = 2
        /// How long a group waits for callers in the midst of asking for several shards: 1 ms.
        public var patience = Duration.milliseconds(1)
        /// Bytes that are written directly until their marks are written; opening reads about so much again: 64 MiB.
        public var unmarkedBytes = 64 << 20
        /// From so many shards on a journal file is settled with one sync of the whole file system: 64.
        public var syncAllShards = 64
        /// Syncs that run at once: 8. With 0 the log has no threads of its own: nothing happens but in `turn`.
        public var syncThreads = 8

        /// Defaults.
        public init(segmentBytes: UInt64 = 64 * 1024 * 1024, openFileLimit: Int = 512) {
            self.segmentBytes = segmentBytes
            self.openFileLimit = openFileLimit
        }
    }

    let disk: any Disk
    let directory: String
    let thread: CommitThread
    let settler: Settler
    let logger: Logger
    private let passingBytes: Int
    let pages = PageCache()
    /// Held while the log is open.
    private let lock: Mutex<(any DiskFile)?>
    private let shards = Mutex<[ShardRef: ShardFolder]>([:])

    /// The folder is another process's.
    public struct InUse: Error, CustomStringConvertible {
        /// What, where and what to do.
        public var description: String
    }

    /// Opens a folder, made when missing. Throws `DiskError`, `InUse` when another process has it, and
    /// `ShardLogError.corrupt` when another version wrote it.
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
        let replay = try JournalReplay(
            directory: directory,
            disk: disk,
            syncAllShards: configuration.syncAllShards,
            passingBytes: configuration.passingBytes,
            logger: logger
        ).run()
        let journal = Journal(
            directory: directory,
            disk: disk,
            fileBytes: configuration.journalFileBytes,
            nextGeneration: replay.nextGeneration
        )
        let settler = Settler(
            directory: directory,
            disk: disk,
            anyFile: try disk.open(directory + "/lock", .write),
            journal: journal,
            marks: replay.marks,
            configuration: configuration,
            logger: logger
        )
        let committer = Committer(journal: journal, settler: settler, configuration: configuration, logger: logger)
        let log = EmbeddedLog(
            directory,
            disk,
            lock,
            CommitThread(committer, patience: configuration.patience),
            settler,
            passingBytes: configuration.passingBytes,
            logger
        )
        try log.scan(replay)
        if configuration.storeBytes != nil { settler.stored(try log.countBytes()) }
        if configuration.syncThreads > 0 { log.thread.start() }
        return log
    }

    private init(
        _ directory: String,
        _ disk: any Disk,
        _ lock: any DiskFile,
        _ thread: CommitThread,
        _ settler: Settler,
        passingBytes: Int,
        _ logger: Logger
    ) {
        self.directory = directory
        self.disk = disk
        self.lock = Mutex(lock)
        self.thread = thread
        self.settler = settler
        self.passingBytes = passingBytes
        self.logger = logger
    }

    /// Commits what is queued and stops. Appends are refused afterwards.
    public func close() async {
        await thread.stop()
        await settler.stop()
        finish()
        lock.withLock { $0 = nil }
    }

    /// Settles everything; what can't be settled stays in the journal.
    func finish() {
        settler.finish(isClean: shards.withLock { $0.values.allSatisfy { $0.isSound } })
    }

    private func scan(_ replay: JournalReplay.Result) throws(DiskError) {
        var found: [ShardRef: ShardFolder] = [:]
        for stream in try disk.list(directory) where !Self.isOwn(stream) {
            let path = directory + "/" + stream
            if stream.hasPrefix(".deleted-") {
                try disk.removeFolder(path)
                continue
            }
            // Whoever made them may not have lived to make their names durable.
            try disk.syncFolder(path)
            for name in try disk.list(path) {
                guard let index = UInt32(name) else { continue }
                let ref = ShardRef(stream: stream, index: index)
                found[ref] = ShardFolder(
                    ref: ref,
                    path: path + "/" + name,
                    mark: replay.marks[ref],
                    isClean: replay.isClean,
                    passingBytes: passingBytes,
                    disk: disk,
                    logger: logger
                )
            }
        }
        try disk.syncFolder(directory)
        shards.withLock { [found] in $0 = found }
        for ref in replay.marks.keys where found[ref] == nil { settler.forget(ref) }
    }

    /// Bytes of all segments.
    private func countBytes() throws(DiskError) -> Int64 {
        var bytes: UInt64 = 0
        for folder in shards.withLock({ Array($0.values) }) { bytes += try folder.countBytes() }
        return Int64(bytes)
    }

    /// Whether a name in the folder is none of a stream.
    static func isOwn(_ name: String) -> Bool {
        name == "lock" || name == Journal.folder || name.hasPrefix(TailMarks.name)
    }

    func find(_ shard: ShardRef) throws(ShardLogError) -> ShardFolder {
        guard let folder = shards.withLock({ $0[shard] }) else { throw .notFound }
        return folder
    }

    // MARK: - Shards

    public func create(_ shard: ShardRef) throws(ShardLogError) {
        if shards.withLock({ $0[shard] != nil }) { return }
        let path = directory + "/" + shard.stream + "/" + String(shard.index)
        try Self.translating { () throws(DiskError) in try disk.makeFolders(path) }
        shards.withLock { shards in
            if shards[shard] == nil {
                shards[shard] = ShardFolder(
                    ref: shard,
                    path: path,
                    passingBytes: passingBytes,
                    disk: disk,
                    logger: logger
                )
            }
        }
    }

    public func delete(_ shard: ShardRef) throws(ShardLogError) {
        guard let folder = shards.withLock({ $0[shard] }) else { return }
        let bytes = (try? folder.countBytes()) ?? 0
        folder.delete()
        pages.forget(shard)
        let grave = directory + "/.deleted-" + shard.stream + "-" + String(shard.index)
        try Self.translating { () throws(DiskError) in
            // Called again after a failure: it is in its grave already.
            if disk.exists(folder.path) { try disk.move(folder.path, to: grave) }
            try disk.syncFolder(POSIXDisk.parent(folder.path))
            if disk.exists(grave) { try disk.removeFolder(grave) }
        }
        shards.withLock { $0[shard] = nil }
        settler.forget(shard)
        settler.stored(-Int64(bytes))
        // The last shard takes its stream's folder along; one that is not empty stays.
        try Self.translating { () throws(DiskError) in
            _ = try disk.removeEmptyFolder(directory + "/" + shard.stream)
        }
    }

    public func list() -> [ShardRef] { shards.withLock { $0.keys.sorted() } }

    public func bounds(_ shard: ShardRef) throws(ShardLogError) -> LogBounds {
        try find(shard).with { state throws(ShardLogError) in
            let last = state.last.flatMap { $0.position >= state.first ? $0.position : nil }
            return LogBounds(
                first: Position(rawValue: state.first),
                tail: Position(rawValue: state.tail),
                last: last.map { Position(rawValue: $0) },
                isClosed: state.isClosed
            )
        }
    }

    public func together(_ body: () -> Void) { thread.together(body) }

    public func openAppender(
        _ shard: ShardRef,
        expecting tail: Position?
    ) async throws(ShardLogError) -> any ShardAppender {
        let folder = try find(shard)
        let outcome = try await thread.perform(on: folder) { .open(expecting: tail, $0) }
        return EmbeddedAppender(shard: folder, owner: outcome.owner, tail: outcome.tail, thread: thread)
    }

    public func wait(_ shard: ShardRef, past position: Position, upTo limit: Duration) async {
        guard let folder = try? find(shard) else { return }
        await folder.waiters.wait(upTo: limit) {
            guard let isReady = try? folder.with({ $0.tail > position.rawValue || $0.isClosed }) else { return true }
            return isReady
        }
    }

    // MARK: - Retention

    public func trim(_ shard: ShardRef, arrivedBefore arrivalMilliseconds: Int64) async throws(ShardLogError) {
        let folder = try find(shard)
        try removeLeftovers(folder)
        guard let first = try trimmed(folder, arrivedBefore: arrivalMilliseconds) else { return }
        _ = try await thread.perform(on: folder) { .trim(first: first, $0) }
        try removeLeftovers(folder)
    }

    /// Where a shard begins without what arrived before; nil when it begins there already. Nothing to do is the usual case, and
    /// must stay cheap: the oldest frame is looked at first.
    func trimmed(_ folder: ShardFolder, arrivedBefore arrival: Int64) throws(ShardLogError) -> UInt64? {
        let (first, tail) = try folder.with { ($0.first, $0.tail) }
        if first >= tail { return nil }
        if let oldest = try arrivalOfOldest(folder), oldest >= arrival { return nil }
        let found = try position(folder, arrivedAtOrAfter: arrival) ?? tail
        return found > first ? found : nil
    }

    /// Removes the files of segments that are trimmed. What fails is tried again at the next trim.
    func removeLeftovers(_ folder: ShardFolder) throws(ShardLogError) {
        let gone = try folder.with { $0.leftovers }
        if gone.isEmpty { return }
        pages.forget(folder.ref)
        try Self.translating { () throws(DiskError) in
            let torn = try disk.list(folder.path).filter { $0.contains(".torn-") }
            for segment in gone {
                for name in torn where name.hasPrefix(segment.name) { try disk.remove(folder.path + "/" + name) }
                try disk.remove(SegmentIndex.path(folder.path, segment))
                // Last: as long as it is there, the rest is found.
                try disk.remove(folder.path + "/" + segment.name)
                let wasThere = folder.ifLoaded { state in
                    defer { state.leftovers.removeAll { $0.base == segment.base } }
                    return state.leftovers.contains { $0.base == segment.base }
                }
                if wasThere == true { settler.stored(-Int64(segment.size)) }
            }
        }
    }

    static func translating<Result>(
        _ body: () throws(DiskError) -> sending Result
    ) throws(ShardLogError) -> sending Result {
        do throws(DiskError) {
            return try body()
        } catch {
            throw .unavailable(error.description, retryAfter: .seconds(1))
        }
    }
}
