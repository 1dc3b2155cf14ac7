import DiskIO
import Logging
import RecordBatch
import ShardLog
import Synchronization

/// Moves frames from the journal to their segments, behind the commits' backs, and lets go of memory and of journal files.
///
///     committed ─> much of a shard waits?  ─> written into its segment (page cache)
///               ─> a journal file is full? ─> all its shards written and synced ─> tails written ─> the file is free
final class Settler: Sendable {
    private struct State {
        /// What is known to be synced of each shard.
        var marks: [ShardRef: TailMark] = [:]
        /// Bytes that went to segments directly since the marks were written.
        var unmarkedBytes = 0
        /// Shards of which much waits in memory.
        var waiting: [ShardFolder] = []
        /// Frames in memory that are in their files, too, in the order in which they came there.
        var kept: [(shard: ShardFolder, through: UInt64, bytes: Int)] = []
        var keptHead = 0
        var keptBytes = 0
        /// Shards whose file is open, and how often it was begun anew to list them.
        var opened: [ShardFolder] = []
        var openedCount = 1
        /// Of all segments, where that is limited.
        var storedBytes: Int64 = 0
        /// Why the last try failed.
        var failure: DiskError?
        var isStopping = false
        var hasStopped = false
    }

    private let state = Mutex(State())
    private let directory: String
    private let disk: any Disk
    private let journal: Journal
    private let configuration: EmbeddedLog.Configuration
    private let logger: Logger
    let pool: SyncPool
    private let wake = Signal()
    private let progress = Signal()
    /// Whether it has a thread; if not, the commits do its work.
    private let isThreaded: Bool
    /// What is open all the time: through it errors of the file system are told.
    private let anyFile: any DiskFile

    init(
        directory: String,
        disk: any Disk,
        anyFile: any DiskFile,
        journal: Journal,
        marks: [ShardRef: TailMark],
        configuration: EmbeddedLog.Configuration,
        logger: Logger
    ) {
        self.directory = directory
        self.disk = disk
        self.anyFile = anyFile
        self.journal = journal
        self.configuration = configuration
        self.logger = logger
        isThreaded = configuration.syncThreads > 0
        pool = SyncPool(threads: max(0, configuration.syncThreads - 1))
        state.withLock { $0.marks = marks }
        if isThreaded { LogThread.start { self.run() } }
    }

    // MARK: - Told by the commits

    /// Takes in what a group did.
    func committed(_ parts: [CommitPart]) {
        let isFull = state.withLock { state in
            for part in parts where part.failure == nil && part.frameBytes > 0 {
                state.storedBytes += Int64(part.frameBytes)
                if part.shard.committing.opened != state.openedCount {
                    part.shard.committing.opened = state.openedCount
                    state.opened.append(part.shard)
                }
                if part.wantsApply { state.waiting.append(part.shard) }
                guard part.isDirect, let last = part.frames.last else { continue }
                state.marks[part.shard.ref] = part.mark?.merged(with: state.marks[part.shard.ref])
                state.unmarkedBytes += part.frameBytes
                state.kept.append((part.shard, last.position, part.frameBytes))
                state.keptBytes += part.frameBytes
            }
            return state.keptBytes > configuration.memoryBytes
        }
        if isFull { dropSurplus() }
        if isThreaded {
            if hasWork { wake.raise() }
        } else if hasWork {
            work()
        }
    }

    /// Frames of a shard are in their files now. Those that are not have to stay in memory.
    ///
    /// - Parameter limit: so many bytes of the shard are kept at most.
    func applied(_ shard: ShardFolder, _ applied: ShardFolder.Applied, keeping limit: Int = .max) {
        let kept = limit == .max ? .max : shard.ifLoaded { $0.recent.drop(keeping: limit) } ?? 0
        let bytes = min(applied.bytes, kept)
        // What is gone needs no place in the list, which nobody would shorten then.
        if bytes == 0 { return }
        let isFull = state.withLock { state in
            state.kept.append((shard, applied.through, bytes))
            state.keptBytes += bytes
            return state.keptBytes > configuration.memoryBytes
        }
        if isFull { dropSurplus() }
    }

    /// Entries of the list of what may leave memory.
    var keptEntries: Int { state.withLock { $0.kept.count - $0.keptHead } }

    /// Lets go of the oldest frames beyond what memory may hold.
    private func dropSurplus() {
        let dropped = state.withLock { Self.surplus(&$0, limit: configuration.memoryBytes) }
        for (shard, position) in dropped { _ = shard.ifLoaded { $0.recent.drop(through: position) } }
    }

    /// The oldest frames beyond what memory may hold.
    private static func surplus(_ state: inout State, limit: Int) -> [(ShardFolder, UInt64)] {
        var dropped: [(ShardFolder, UInt64)] = []
        while state.keptBytes > limit, state.keptHead < state.kept.count {
            let oldest = state.kept[state.keptHead]
            dropped.append((oldest.shard, oldest.through))
            state.keptBytes -= oldest.bytes
            state.keptHead += 1
        }
        if state.keptHead > 1024, state.keptHead > state.kept.count / 2 {
            state.kept.removeFirst(state.keptHead)
            state.keptHead = 0
        }
        return dropped
    }

    /// Waits while too much stands in the journal alone. Throws what keeps it there.
    func checkRoom() throws(DiskError) {
        while journal.full.count >= configuration.journalFiles {
            if let failure = state.withLock({ $0.failure }) { throw failure }
            if isThreaded {
                wake.raise()
                progress.wait(atMost: .seconds(1))
            } else {
                work()
            }
        }
    }

    /// Segments have grown by so many bytes, or shrunk.
    func stored(_ bytes: Int64) { state.withLock { $0.storedBytes += bytes } }

    /// Why nothing may be appended now; nil when it may.
    var refusal: ShardLogError? {
        guard let limit = configuration.storeBytes, state.withLock({ $0.storedBytes }) >= limit else { return nil }
        return .unavailable(
            "the store holds its limit of \(limit) bytes: shorten retention, delete streams, or raise the limit",
            retryAfter: .seconds(1)
        )
    }

    /// Whether the disk is nearly full. What stands in the journal alone is then moved at once, and nothing follows it.
    func isTight() -> Bool {
        // Where the disk does not say, it is taken for full.
        let free = (try? disk.freeBytes(directory)) ?? 0
        guard free < configuration.tightBytes else { return false }
        if !journal.isEmpty {
            journal.rotate()
            if isThreaded { wake.raise() } else { work() }
        }
        return true
    }

    /// The shard is gone.
    func forget(_ shard: ShardRef) { state.withLock { $0.marks[shard] = nil } }

    private var hasWork: Bool {
        let isDue = state.withLock { !$0.waiting.isEmpty || $0.unmarkedBytes >= configuration.unmarkedBytes }
        return isDue || !journal.full.isEmpty
    }

    // MARK: - The work

    private func run() {
        while true {
            wake.wait(atMost: state.withLock { $0.failure } == nil ? nil : .seconds(1))
            if state.withLock({ $0.isStopping }) {
                state.withLock { $0.hasStopped = true }
                progress.raise()
                return
            }
            work()
            progress.raise()
        }
    }

    /// Does what there is to do, as far as the disk lets it.
    func work() {
        do throws(DiskError) {
            try applyWaiting()
            while let full = journal.full.first { try settle(full) }
            if state.withLock({ $0.unmarkedBytes >= configuration.unmarkedBytes }) { try writeMarks() }
            closeFiles()
            state.withLock { $0.failure = nil }
        } catch {
            let isNew = state.withLock { state in
                defer { state.failure = error }
                return state.failure != error
            }
            if isNew {
                logger.error("the journal's frames can't be moved to their files yet", metadata: ["error": "\(error)"])
            }
        }
    }

    private func applyWaiting() throws(DiskError) {
        while true {
            let next = state.withLock { $0.waiting.popLast() }
            guard let shard = next else { return }
            try shard.files.withLock { files throws(DiskError) in
                try shard.repairIfNeeded(&files, from: journal)
                do throws(DiskError) {
                    try shard.apply(&files) { applied(shard, $0) }
                } catch {
                    guard shard.isGone else { throw error }
                }
            }
        }
    }

    /// Makes durable in the segments what a journal file has, and lets go of the file.
    private func settle(_ full: Journal.Full) throws(DiskError) {
        let marks = try full.shards.count < configuration.syncAllShards ? syncEach(full) : syncAll(full)
        state.withLock { state in
            for (ref, mark) in marks { state.marks[ref] = mark.merged(with: state.marks[ref]) }
        }
        try writeMarks()
        try journal.release(full.generation)
        progress.raise()
    }

    /// So much each of these shards keeps in memory when all of them are written at the same time: the newest frames of each, and
    /// not all of some. What is kept keeps the memory of its group, and the older groups can go.
    private func share(_ shards: [ShardFolder]) -> Int { configuration.memoryBytes / max(1, shards.count) }

    private func syncEach(_ full: Journal.Full) throws(DiskError) -> [ShardRef: TailMark] {
        let results = Mutex<(marks: [ShardRef: TailMark], failure: DiskError?)>(([:], nil))
        let limit = share(full.shards)
        pool.run(full.shards.count) { index in
            let shard = full.shards[index]
            do throws(DiskError) {
                let mark = try self.settle(shard, keeping: limit)
                results.withLock { $0.marks[shard.ref] = mark }
            } catch {
                results.withLock { $0.failure = error }
            }
        }
        let (marks, failure) = results.withLock { $0 }
        if let failure { throw failure }
        return marks
    }

    /// One sync of the file system is cheaper than hundreds of files.
    private func syncAll(_ full: Journal.Full) throws(DiskError) -> [ShardRef: TailMark] {
        // Whichever file it fails for: also of shards that only the newer files of the journal have.
        let others = journal.shards.map { shard in
            (shard, shard.files.withLock { (isDirty: $0.isDirty, writes: $0.writes) })
        }
        var begun: [Begun] = []
        var refusal: DiskError?
        do throws(DiskError) {
            refusal = try writeOut(full.shards, &begun)
            if refusal == nil { try anyFile.syncAll() }
        } catch {
            for (shard, former) in others {
                shard.files.withLock { files in
                    // A commit's sync may have gone well behind it, and made nothing durable of what it lost.
                    if former.isDirty || files.isDirty || files.writes != former.writes { files.isSuspect = true }
                }
            }
            let known = Set(others.map { ObjectIdentifier($0.0) })
            for shard in journal.shards where !known.contains(ObjectIdentifier(shard)) {
                shard.files.withLock { $0.isSuspect = true }
            }
            throw error
        }
        if let refusal { throw refusal }
        var marks: [ShardRef: TailMark] = [:]
        for (shard, mark, writes) in begun {
            marks[shard.ref] = mark
            try shard.files.withLock { files throws(DiskError) in try shard.settled(&files, writes: writes) }
        }
        return marks
    }

    /// A shard whose frames are written into its files, before they are synced.
    private typealias Begun = (shard: ShardFolder, mark: TailMark?, writes: Int)

    /// So many threads write at once: one alone waits for the disk half of the time.
    private static let writers = 2

    /// Writes shards' frames into their files, and hands to the disk what `syncAll` would write at once: while the next ones'
    /// are copied, and a few files at a time, so that a sync of the journal finds no more than those before it. Returns why a
    /// file does not take them; throws when the disk has lost what a file had taken.
    private func writeOut(_ shards: [ShardFolder], _ begun: inout [Begun]) throws(DiskError) -> DiskError? {
        let next = Atomic(0)
        let limit = share(shards)
        let results = Mutex<(begun: [Begun], refusal: DiskError?, failure: DiskError?)>(([], nil, nil))
        pool.run(min(Self.writers, shards.count)) { _ in
            var (own, cached): ([Begun], [ShardFolder]) = ([], [])
            do throws(DiskError) {
                while results.withLock({ $0.refusal == nil && $0.failure == nil }) {
                    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < shards.count else { break }
                    let shard = shards[index]
                    do throws(DiskError) {
                        guard let begun = try self.begin(shard, keeping: limit) else { continue }
                        own.append(begun)
                    } catch {
                        results.withLock { $0.refusal = error }
                        break
                    }
                    // What went past the page cache is written.
                    guard let file = shard.files.withLock({ $0.tail == nil ? $0.active : nil }) else { continue }
                    try file.writeOut(waits: false)
                    cached.append(shard)
                    if cached.count > Self.ahead { try self.waitForWriting(cached[cached.count - 1 - Self.ahead]) }
                }
                for shard in cached.suffix(Self.ahead) { try self.waitForWriting(shard) }
            } catch {
                results.withLock { $0.failure = error }
            }
            results.withLock { $0.begun += own }
        }
        let refusal: DiskError?, failure: DiskError?
        (begun, refusal, failure) = results.withLock { $0 }
        if let failure { throw failure }
        return refusal
    }

    /// A thread waits for the disk to have a file when it has begun so many others.
    private static let ahead = 8

    private func begin(_ shard: ShardFolder, keeping limit: Int) throws(DiskError) -> Begun? {
        do throws(DiskError) {
            return try shard.files.withLock { files throws(DiskError) in
                try shard.repairIfNeeded(&files, from: journal)
                let started = try shard.beginSettling(&files) { applied(shard, $0, keeping: limit) }
                return (shard, started.mark, started.writes)
            }
        } catch {
            if shard.isGone { return nil }
            throw error
        }
    }

    private func waitForWriting(_ shard: ShardFolder) throws(DiskError) {
        try shard.files.withLock { files throws(DiskError) in try shard.waitForWriting(&files) }
    }

    private func settle(_ shard: ShardFolder, keeping limit: Int) throws(DiskError) -> TailMark? {
        do throws(DiskError) {
            return try shard.files.withLock { files throws(DiskError) in
                try shard.repairIfNeeded(&files, from: journal)
                return try shard.settle(&files) { applied(shard, $0, keeping: limit) }
            }
        } catch {
            if shard.isGone { return nil }
            throw error
        }
    }

    private func writeMarks(isClean: Bool = false) throws(DiskError) {
        let marks = state.withLock { state in
            state.unmarkedBytes = 0
            return state.marks
        }
        try disk.replace(directory + "/" + TailMarks.name, with: TailMarks.encode(marks, isClean: isClean))
    }

    /// Keeps the number of open files down when very many shards are written.
    private func closeFiles() {
        let surplus = state.withLock { state in
            guard state.opened.count > configuration.openFileLimit else { return [ShardFolder]() }
            defer { state.opened = [] }
            state.openedCount += 1
            return state.opened
        }
        for shard in surplus { shard.releaseFile() }
    }

    // MARK: - The end

    /// Ends the thread.
    func stop() async {
        defer { pool.stop() }
        if isThreaded {
            state.withLock { $0.isStopping = true }
            while !state.withLock({ $0.hasStopped }) {
                wake.raise()
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    /// Settles everything. The thread has ended.
    ///
    /// - Parameter isClean: whether no shard is left that a crash may have hurt and nobody has looked at.
    func finish(isClean: Bool) {
        journal.rotate()
        work()
        guard journal.isEmpty else { return }
        do throws(DiskError) {
            try journal.removeFree()
            try writeMarks(isClean: isClean)
        } catch {
            logger.warning("the next start will read more than it must", metadata: ["error": "\(error)"])
        }
    }
}
