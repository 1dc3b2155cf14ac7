import Glibc
import SinkFiles

/// How records become files.
public struct SinkPolicy: Sendable, Equatable {
    /// What a line of a file is.
    public enum Format: String, Sendable, CaseIterable {
        /// A ``RecordLine``; files end in `.jsonl`.
        case jsonl
        /// The payload, with a newline unless it ends in one; files end in `.log`.
        case raw
    }

    /// A file is finished when it has at least this many bytes; 5 MiB by default.
    public var byteLimit = 5 << 20
    /// A file is finished when its first record has waited this long; 10 s by default, late by up to the idle time.
    public var age: Duration = .seconds(10)
    /// What a line is.
    public var format = Format.jsonl

    /// The defaults.
    public init() {}
}

/// Writes each shard's records into files that appear whole or not at all, each record in exactly one.
///
/// ```
/// DIR/<yyyy>/<MM>/<dd>/<HH>/<stream>-<shardId>-<first>-<last>.jsonl   UTC hour in which the first record arrived
/// DIR/.inprogress/…                                                    being written
/// DIR/.locks/<stream>-<shardId>                                        locked by the process that writes the shard
/// ```
/// The checkpoint moves only when a file is finished. After a crash between finishing and checkpoint, the next owner finds
/// the file by its first sequence number and goes on behind its last. The lock keeps an owner that was robbed of its lease,
/// and hasn't noticed yet, from finishing a file beside the new owner; it ends with the process that holds it. All workers
/// of an application must write to one folder for this to hold.
public struct SinkHandlers: ShardHandlers {
    private let folder: SinkFolder
    private let policy: SinkPolicy
    private let clock: any WorkerClock

    /// Files under a folder, which is made when needed.
    public init(directory: String, policy: SinkPolicy = SinkPolicy(), clock: any WorkerClock = SystemWorkerClock()) {
        self.init(folder: SinkFolder(root: directory), policy: policy, clock: clock)
    }

    /// As the other, over a folder that tests may give faults.
    public init(folder: SinkFolder, policy: SinkPolicy, clock: any WorkerClock) {
        self.folder = folder
        self.policy = policy
        self.clock = clock
    }

    public func begin(_ shard: ShardContext) async throws -> any ShardHandler {
        let name = "\(shard.stream)-\(shard.shard)"
        let lock = try FolderLock(root: folder.root, name: name)
        let deadline = clock.now + .seconds(5)
        while try !lock.tryLock() {
            guard clock.now < deadline else { throw FileError("lock", lock.path, errno: EWOULDBLOCK) }
            try await clock.sleep(for: .milliseconds(50))
        }
        // A stream's name may hold dots, an owner's may not; no name holds a percent sign.
        let owner = name.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "%2E")
        _ = try folder.sweep(owner: owner)
        return SinkShardHandler(
            files: ShardFiles(folder: folder, name: name, owner: owner, format: policy.format),
            shard: shard.shard,
            policy: policy,
            clock: clock,
            lock: lock
        )
    }
}

private actor SinkShardHandler: ShardHandler {
    private struct Open {
        var writer: SinkWriter
        var first: ConsumedRecord
        var last: String
        var since: Duration
    }

    nonisolated let batchSize = 2000
    private let files: ShardFiles
    private let shard: String
    private let policy: SinkPolicy
    private let clock: any WorkerClock
    private let lock: FolderLock
    private var open: Open?
    /// Whether files that an earlier owner finished, without storing the checkpoint, may still lie ahead.
    private var isRecovering = true
    private var skipThrough: String?

    init(files: ShardFiles, shard: String, policy: SinkPolicy, clock: any WorkerClock, lock: FolderLock) {
        self.files = files
        self.shard = shard
        self.policy = policy
        self.clock = clock
        self.lock = lock
    }

    func handle(_ records: [ConsumedRecord]) async throws -> String? {
        var finished: String?
        for record in records {
            if try isInFinishedFile(record) {
                // A checkpoint inside a file would hide it from the next owner, who looks for files that begin there.
                if skipThrough == nil { finished = record.sequenceNumber }
                continue
            }
            try append(record)
            if let open, open.writer.byteCount >= policy.byteLimit { finished = try finalize() }
        }
        return try finished ?? finalizeIfOld()
    }

    func lookAtTime() async throws -> String? { try finalizeIfOld() }

    func finish(_ ending: Ending) async throws -> String? {
        defer { lock.unlock() }
        return try finalize()
    }

    func abandon() async {
        // What can't be removed now is swept by the next owner.
        do { try open?.writer.discard() } catch { open = nil }
        open = nil
        lock.unlock()
    }

    private func isInFinishedFile(_ record: ConsumedRecord) throws -> Bool {
        if skipThrough == nil, isRecovering {
            skipThrough = try files.finished(startingAt: record)
            isRecovering = skipThrough != nil
        }
        guard let last = skipThrough else { return false }
        if record.sequenceNumber == last { skipThrough = nil }
        guard SequenceOrder.isBefore(last, record.sequenceNumber) else { return true }
        skipThrough = nil
        return try isInFinishedFile(record)
    }

    private func append(_ record: ConsumedRecord) throws {
        var current =
            try open
            ?? Open(
                writer: files.open(),
                first: record,
                last: record.sequenceNumber,
                since: clock.now
            )
        switch policy.format {
        case .raw:
            try current.writer.append(record.data, delimiter: record.data.last == 0x0A ? [] : [0x0A])
        case .jsonl:
            var line: [UInt8] = []
            RecordLine.append(record, shard: shard, to: &line)
            try current.writer.append(line)
        }
        current.last = record.sequenceNumber
        open = current
    }

    private func finalizeIfOld() throws -> String? {
        guard let open, clock.now - open.since >= policy.age else { return nil }
        return try finalize()
    }

    private func finalize() throws -> String? {
        guard let done = open else { return nil }
        open = nil
        try files.finalize(done.writer, first: done.first, last: done.last)
        return done.last
    }
}
