import DiskIO
import Logging
import RecordBatch
import ShardLog
import Synchronization

/// Makes what was asked of all shards durable in one step, then answers: group commit.
///
///     take the queue ─> plan ─> write and sync ─> show readers ─> complete, in order ─> take the queue ...
///
/// While a group syncs the next one gathers, so the cost of a sync is shared by ever more records as load rises. What a group
/// has of one shard goes one of two ways:
///
/// - much of it: into the shard's segment, which is synced. Nothing is written twice.
/// - little of it: into the journal, which is synced once for all of them, and some time later into the segment (`Settler`).
///
/// Why: bytes synced per second with groups of so many files, on ext4 on a virtual disk, 2 cores (`Tests/Bench/sync.c`):
///
///     files × bytes        4 × 512 KiB   4 × 128 KiB   64 × 32 KiB   1000 × 2 KiB   4 × 4 KiB   1 × 16 KiB
///     fdatasync each           452 MB/s      327 MB/s      113 MB/s        13 MB/s     16 MB/s      51 MB/s
///     ... on 16 threads        598           492           324             50          27           39
///     syncfs                   571           565           509            109          35           53
///     journal                  354           319           348            265          90           97
///
/// `syncfs` also waits for whatever else the file system has to write. What goes through the journal is written twice. 1,000
/// active shards have 0.6 of the rate of 4: a put then has some 390 parts of about 2.5 µs each, mostly misses of the processor's
/// caches, and to settle the journal takes a sixth of the processor time. All that is large goes past the page cache
/// (`SegmentBlocks`): copies into its pages took a third of that time with 1,000 shards, and nearly as much with 4.
final class Committer: Sendable {
    let journal: Journal
    let settler: Settler
    let completer: Completer
    private let configuration: EmbeddedLog.Configuration
    private let logger: Logger
    /// Parts that no group uses: the commit thread's alone.
    nonisolated(unsafe) private var spare: [CommitPart] = []
    /// So many are kept.
    private static let spareLimit = 1024

    init(journal: Journal, settler: Settler, configuration: EmbeddedLog.Configuration, logger: Logger) {
        self.journal = journal
        self.settler = settler
        self.configuration = configuration
        self.logger = logger
        completer = Completer(isThreaded: configuration.syncThreads > 0)
    }

    func commit(_ requests: consuming ContiguousArray<LogRequest>, number: Int) {
        let isTight = settler.isTight()
        let group = CommitGroup(
            requests,
            number: number,
            configuration,
            directBytes: isTight ? 1 : configuration.directBytes,
            spare: &spare,
            refusal: settler.refusal
        )
        store(group)
        for index in group.parts.indices {
            if index + CommitGroup.ahead < group.parts.count { group.parts[index + CommitGroup.ahead].prefetch() }
            show(group.parts[index])
        }
        var ended = group.end()
        completer.complete(&ended)
        settler.committed(group.parts)
        for part in group.parts {
            part.end()
            if spare.count < Self.spareLimit { spare.append(part) }
        }
    }

    // MARK: - Storing

    /// Makes a group durable: each shard's segment and the journal are written and synced side by side, so that the disk has
    /// something to do while the rest is copied.
    private func store(_ group: CommitGroup) {
        do throws(DiskError) {
            // Nothing may become durable behind a group that failed before its failure is.
            try journal.repair()
        } catch {
            for part in group.parts { part.fail(Self.failure(error)) }
            return
        }
        let parts = group.parts
        let direct = parts.filter(\.isDirect)
        // A part is one thread's: what goes both ways goes one after the other.
        let isApart = parts.contains(where: \.isJournaled) && !direct.contains(where: \.isJournaled)
        let bytes = group.journaledBytes
        settler.pool.run(direct.count + (isApart ? 1 : 0)) { job in
            if job < direct.count { self.storeDirectly(direct[job]) } else { self.storeInJournal(parts, bytes) }
        }
        if !isApart { storeInJournal(parts, bytes) }
        for part in group.parts where part.closes && part.failure == nil { close(part) }
    }

    private func storeDirectly(_ part: CommitPart) {
        var isWritten = false
        do throws(DiskError) {
            // One hold for both: the system tells of an error once, so nobody else may sync what is written here.
            try part.shard.files.withLock { files throws(DiskError) in
                try part.shard.repairIfNeeded(&files, from: journal)
                do throws(DiskError) {
                    try part.shard.write(part.frames, into: part.segments, synced: part.durableTail, &files) {
                        settler.applied(part.shard, $0)
                    }
                    isWritten = true
                    try part.shard.sync(&files)
                    try part.shard.syncName(&files)
                } catch {
                    part.shard.mustCut = true
                    throw error
                }
            }
        } catch {
            guard isWritten else { return part.fail(Self.failure(error)) }
            logger.error("a sync failed", metadata: ["shard": "\(part.shard.ref)", "error": "\(error)"])
            part.fail(Self.syncFailure(error))
        }
    }

    /// Stores those of the parts that go through the journal; of others nothing is looked at but that.
    private func storeInJournal(_ parts: [CommitPart], _ bytes: Int) {
        if bytes == 0 { return }
        var record = JournalGroup(reserving: bytes)
        for part in parts where part.isJournaled && part.failure == nil {
            do throws(DiskError) {
                // The journal needs the files only where they are longer than they should be.
                if part.shard.mustCut {
                    try part.shard.files.withLock { files throws(DiskError) in
                        try part.shard.repairIfNeeded(&files, from: journal)
                    }
                }
            } catch {
                part.fail(Self.failure(error))
                continue
            }
            part.append(to: &record)
        }
        guard !record.isEmpty else { return }
        let journaled = parts.lazy.filter { $0.isJournaled && $0.failure == nil }
        do throws(DiskError) {
            try settler.checkRoom()
        } catch {
            for part in journaled { part.fail(Self.failure(error)) }
            return
        }
        do throws(DiskError) {
            try journal.write(record, of: journaled.lazy.map(\.shard))
            try journal.sync()
        } catch {
            logger.error("a group of the journal failed", metadata: ["error": "\(error)"])
            // Also on a full disk: until the next file says otherwise, a group that looks whole counts. What is missing of it
            // may be zeros that stood there before.
            for part in journaled { part.fail(.unknown(error.description)) }
        }
    }

    private func close(_ part: CommitPart) {
        do throws(DiskError) {
            try part.shard.disk.replace(part.shard.path + "/" + ShardFolder.closedName, with: [1])
        } catch {
            logger.error("a shard was not sealed", metadata: ["shard": "\(part.shard.ref)", "error": "\(error)"])
            part.closeFailure = Self.syncFailure(error)
        }
    }

    // MARK: - Showing

    /// Shows readers what is durable, or takes back what is not.
    private func show(_ part: CommitPart) {
        if part.failure != nil {
            // Its frames may be in the file, though it was something else that failed.
            if part.isDirect { part.shard.mustCut = true }
            guard part.shard.mustCut else { return }
            part.shard.files.withLock { files in
                do throws(DiskError) {
                    try part.shard.repairIfNeeded(&files, from: journal)
                } catch {
                    // Tried again before the shard takes anything; a restart may come first, and find them.
                    part.isUnknown(error.description)
                    logger.warning("bytes of a failed append stay behind the tail", metadata: ["error": "\(error)"])
                }
            }
            return
        }
        part.compact()
        guard let sealed = part.shard.ifLoaded({ part.show(&$0) }) else { return part.fail(.notFound) }
        for (segment, index) in sealed {
            do throws(DiskError) {
                try index.store(part.shard.path, segment, on: part.shard.disk)
            } catch {
                logger.warning(
                    "an index was not written: it is made when it is needed",
                    metadata: ["error": "\(error)"]
                )
            }
        }
        if part.changesTail { part.shard.waiters.wake() }
    }

    /// Nothing was written that counts.
    private static func failure(_ error: DiskError) -> ShardLogError {
        .unavailable(error.description, retryAfter: .seconds(1))
    }

    /// It may be on the disk, or not.
    private static func syncFailure(_ error: DiskError) -> ShardLogError {
        error.isOutOfSpace ? failure(error) : .unknown(error.description)
    }
}
