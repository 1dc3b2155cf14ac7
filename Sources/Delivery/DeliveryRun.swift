import AWSProtocol
import FirehoseTypes
import Logging
import ShardLog
import SinkFiles
import StateStore

/// Why a run ended.
enum DeliveryRunEnd {
    /// The configuration changed; what was buffered is delivered.
    case changed
    /// Everything there was is delivered, or the time for it is up.
    case drained
}

/// One delivery stream being delivered, from what its progress row says until something goes wrong or is changed. Any
/// error ends the run; the next one starts from the row, so there is one way of going on for errors and crashes.
///
/// ```
/// recover → read → append … → prepare → row: pending → finalize → row: positions → read …
/// ```
struct DeliveryRun {
    static let readSize = 1 << 20
    static let waitLimit = Duration.seconds(10)
    static let discoverInterval = Duration.seconds(1)

    let config: DeliveryConfig
    let stream: StreamHandle
    let access: any StreamAccess
    let progressStore: ProgressStore
    let folders: SinkFolders
    let clock: DeliveryClock
    let monitor: DeliveryMonitor
    let mailbox: Mailbox
    let logger: Logger
    /// Deliver the first buffer as soon as everything is read: the last attempt failed, and its time is long up.
    var isOverdue: Bool

    private var progress = DeliveryProgress()
    private var revision: Revision?
    private var cursors: [UInt32: ShardCursor] = [:]
    private var known: [UInt32: SourceShard] = [:]
    private var ready: [UInt32] = []
    private var writer: SinkWriter?
    private var oldestArrival: Int64 = 0
    private var openedAt = Duration.zero
    private var isTimerRunning = false
    private let delimiter: [UInt8]
    private let sizeLimit: Int
    private let interval: Duration

    init(
        config: DeliveryConfig,
        stream: StreamHandle,
        access: any StreamAccess,
        progressStore: ProgressStore,
        folders: SinkFolders,
        clock: DeliveryClock,
        monitor: DeliveryMonitor,
        mailbox: Mailbox,
        logger: Logger,
        isOverdue: Bool
    ) {
        self.config = config
        self.stream = stream
        self.access = access
        self.progressStore = progressStore
        self.folders = folders
        self.clock = clock
        self.monitor = monitor
        self.mailbox = mailbox
        self.logger = logger
        self.isOverdue = isOverdue
        delimiter = config.destination.delimiterBytes
        sizeLimit = config.destination.sizeInMBs << 20
        interval = .seconds(config.destination.intervalInSeconds)
    }

    private var folder: SinkFolder { folders[config.destination.bucket] }

    /// Delivers until the row changes, or with `drainingFor` until everything is delivered or the time is up. Throws
    /// what stopped it, `CancellationError` among others.
    mutating func run(drainingFor limit: Duration? = nil) async throws -> DeliveryRunEnd {
        try await recover()
        return try await withThrowingDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            if let limit { after(limit, post: .giveUp, in: &group) }
            try await discover(in: &group)
            while true {
                try Task.checkCancellation()
                for event in mailbox.take() {
                    switch event {
                    case .data(let shard): if !ready.contains(shard) { ready.append(shard) }
                    case .deadline: try await deadline(in: &group)
                    case .discover: try await discover(in: &group)
                    case .changed where limit == nil:
                        try await flush()
                        return .changed
                    case .changed: break
                    case .giveUp:
                        try writer?.discard()
                        return .drained
                    }
                }
                if !ready.isEmpty {
                    try await read(ready.removeFirst(), in: &group)
                } else if writer != nil, interval == .zero || limit != nil || isOverdue {
                    try await flush()
                } else if limit != nil {
                    return .drained
                } else {
                    await mailbox.wait()
                }
            }
        }
    }

    /// Gives up what was not delivered: nobody but the next run, which reads it again, may find the file.
    func abandon() throws(SinkError) { try writer?.discard() }

    // MARK: Reading

    /// Finds new shards; a shard is read once all its parents are.
    private mutating func discover(in group: inout ThrowingDiscardingTaskGroup<any Error>) async throws {
        let shards = try await access.shards(of: stream)
        let listed = Set(shards.map(\.ref.index))
        for shard in shards {
            let index = shard.ref.index
            let isNew = known.updateValue(shard, forKey: index) == nil
            let isBlocked = shard.parents.contains { listed.contains($0) && cursors[$0]?.isFinished != true }
            if isBlocked {
                known[index] = nil
            } else if isNew {
                if cursors[index] == nil { cursors[index] = ShardCursor() }
                if cursors[index]?.isFinished != true { ready.append(index) }
            }
        }
        // A closed shard is followed by others, but the list may not show them yet.
        let parents = Set(shards.flatMap(\.parents))
        let isLate = cursors.contains { listed.contains($0.key) && $0.value.isFinished && !parents.contains($0.key) }
        cursors = cursors.filter { listed.contains($0.key) || !$0.value.isFinished }
        if isLate { after(Self.discoverInterval, post: .discover, in: &group) }
    }

    private mutating func read(_ index: UInt32, in group: inout ThrowingDiscardingTaskGroup<any Error>) async throws {
        guard let shard = known[index], var cursor = cursors[index], !cursor.isFinished else { return }
        let slab = try await access.log.read(shard.ref, from: cursor.position, maxBytes: Self.readSize)
        for (number, frame) in slab.frames.enumerated() {
            if frame.position != cursor.position { cursor = ShardCursor(position: frame.position) }
            let next = number + 1 < slab.frames.count ? slab.frames[number + 1].position : slab.next
            try await take(frame, of: slab, shard: shard.ref, from: &cursor, next: next, in: &group)
        }
        cursor = ShardCursor(position: slab.next, isFinished: slab.isAtEnd)
        cursors[index] = cursor
        if slab.isAtEnd {
            try await discover(in: &group)
        } else if slab.frames.isEmpty {
            let (log, mailbox, position) = (access.log, mailbox, cursor.position)
            group.addTask {
                await log.wait(shard.ref, past: position, upTo: Self.waitLimit)
                mailbox.post(.data(index))
            }
        } else {
            ready.append(index)
        }
    }

    private mutating func take(
        _ frame: FrameSlab.Frame,
        of slab: FrameSlab,
        shard: ShardRef,
        from cursor: inout ShardCursor,
        next: Position,
        in group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        var isWhole = false
        while !isWhole {
            let reader = try FrameReader(slab, frame, shard: shard)
            guard cursor.index < reader.recordCount else {
                cursor = ShardCursor(position: next)
                cursors[shard.index] = cursor
                return
            }
            let writer = try opened(arrival: reader.arrivalMilliseconds, in: &group)
            let taken = try reader.copy(
                from: cursor.index,
                to: writer,
                keys: access.keys,
                region: stream.region,
                delimiter: delimiter,
                limit: sizeLimit
            )
            cursor.index += taken
            isWhole = cursor.index >= reader.recordCount
            if isWhole { cursor = ShardCursor(position: next) }
            cursors[shard.index] = cursor
            monitor.update { [count = writer.byteCount] in $0.bytesBuffered = count }
            if writer.byteCount >= sizeLimit { try await flush() }
        }
    }

    // MARK: Buffer

    private mutating func opened(
        arrival: Int64,
        in group: inout ThrowingDiscardingTaskGroup<any Error>
    ) throws -> SinkWriter {
        if let writer {
            if arrival < oldestArrival {
                oldestArrival = arrival
                monitor.oldestArrival = arrival
            }
            return writer
        }
        let writer = try folder.open(owner: config.uid)
        self.writer = writer
        oldestArrival = arrival
        openedAt = clock.uptime()
        monitor.oldestArrival = arrival
        startTimer(interval, in: &group)
        return writer
    }

    private mutating func startTimer(_ delay: Duration, in group: inout ThrowingDiscardingTaskGroup<any Error>) {
        guard interval > .zero, !isTimerRunning else { return }
        isTimerRunning = true
        after(delay, post: .deadline, in: &group)
    }

    private mutating func deadline(in group: inout ThrowingDiscardingTaskGroup<any Error>) async throws {
        isTimerRunning = false
        guard writer != nil else { return }
        let left = openedAt + interval - clock.uptime()
        if left <= .zero { try await flush() } else { startTimer(left, in: &group) }
    }

    private func after(
        _ delay: Duration,
        post event: DeliveryEvent,
        in group: inout ThrowingDiscardingTaskGroup<any Error>
    ) {
        group.addTask { [clock, mailbox] in
            do { try await clock.sleep(delay) } catch { return }  // cancelled: the run is over
            mailbox.post(event)
        }
    }

    /// Finishes the file. Between any two of its steps a crash leaves what `recover` understands.
    private mutating func flush() async throws {
        guard let writer else { return }
        var generator = SystemRandomNumberGenerator()
        let name = try config.objectName().make(arrivalMilliseconds: oldestArrival, using: &generator)
        let file = try writer.prepare(as: name)
        progress.pending = DeliveryProgress.Pending(
            bucket: config.destination.bucket,
            file: file,
            records: writer.recordCount,
            positions: cursors
        )
        self.writer = nil
        try await store()
        try folder.finalize(file)
        progress.commit()
        try await store()
        isOverdue = false
        monitor.oldestArrival = nil
        monitor.delivered(progress)
    }

    private mutating func store() async throws(StateStoreError) {
        revision = try await progressStore.put(progress, for: config, over: revision)
    }

    // MARK: Recovery

    /// Finishes or forgets what the last run left, and takes up its positions.
    private mutating func recover() async throws {
        (progress, revision) = try await progressStore.get(config)
        if let pending = progress.pending {
            if try folders[pending.bucket].recover(pending.file) { progress.commit() } else { progress.pending = nil }
            try await store()
        }
        for bucket in config.formerBuckets {
            do {
                try folders[bucket].sweep(owner: config.uid)
            } catch {
                // What lies there unfinished is garbage, and the destination was changed because the bucket is in trouble.
                logger.warning(
                    "unfinished files stay in a former bucket",
                    metadata: ["bucket": "\(bucket)", "error": "\(error)"]
                )
            }
        }
        try folders[config.destination.bucket].sweep(owner: config.uid)
        cursors = progress.positions
        monitor.oldestArrival = nil
        monitor.delivered(progress, clearsError: false)
    }
}
