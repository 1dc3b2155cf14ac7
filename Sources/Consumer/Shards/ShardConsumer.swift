/// Reads one shard from its checkpoint to its end. A value that says the next step and is told how it went.
///
///     parents --all finished--> iterator --> read --> handle* --> checkpoint --> read ...
///        ^  | not yet: wait        ^           |expired                |
///        +--+                      +-----------+                       +-- end of a closed shard:
///                                                                          finish --> SHARD_END --> done
///
/// The checkpoint never moves past what the handler has called finished; answering further than was delivered is the
/// handler's programming error and stops the program.
public struct ShardConsumer: Sendable {
    /// What to do next.
    public enum Step: Sendable, Equatable {
        /// Look whether every one of these leases is finished or gone; answer ``ShardConsumer/parents(finished:)``.
        case lookAtParents(Set<String>)
        /// Ask for an iterator; answer ``ShardConsumer/opened(_:askedAt:)`` or ``ShardConsumer/failed(_:)``.
        case open(ReadPosition)
        /// Read; answer ``ShardConsumer/read(_:limit:)`` or ``ShardConsumer/failed(_:)``.
        case read(iterator: String, limit: Int)
        /// Hand these to the handler; answer ``ShardConsumer/handled(upTo:)`` or ``ShardConsumer/handlerFailed()``.
        case handle([ConsumedRecord])
        /// Let the handler look at the time; answers as for `handle`.
        case lookAtTime
        /// Let the handler finish; answers as for `handle`.
        case finish(Ending)
        /// Store it; answer ``ShardConsumer/stored()``.
        case checkpoint(Checkpoint, children: Set<String>)
        /// Pause; answer ``ShardConsumer/waited()``.
        case wait(Duration)
        /// Begin a new handler; answer ``ShardConsumer/handlerReady(row:batchSize:)``, or ``ShardConsumer/handlerFailed()``.
        case beginHandler
        /// Nothing more to do.
        case done(Result)
    }

    /// How it ended.
    public enum Result: Sendable, Equatable {
        /// `SHARD_END` is stored.
        case shardEnd
        /// The worker stops; everything finished is stored.
        case stopped
        /// The stream does not exist.
        case streamGone
    }

    /// The pauses.
    public struct Settings: Sendable, Equatable {
        /// After a read that showed nothing new; 1 s by default. AWS allows five reads a second per shard.
        public var idleTime: Duration = .seconds(1)
        /// Between looks at unfinished parents; 1 s by default.
        public var parentPollTime: Duration = .seconds(1)
        /// The most records asked for in one read, 1 to 10,000.
        public var readLimit = 10_000
        /// The first pause after a failure; doubled up to 32 times as long.
        public var backoff: Duration = .milliseconds(250)
        /// Where a shard without checkpoint begins, for `AT_TIMESTAMP`; milliseconds since 1970.
        public var initialTimestamp: Int64 = 0

        /// The defaults.
        public init() {}
    }

    private enum Stage: Sendable, Equatable {
        case parents, begin, open, read(String), time, delivering, finishing(Ending), ending, over
    }

    private let settings: Settings
    private var batchSize = 1
    private var lease: Lease
    private var stage: Stage
    private var storing: Checkpoint?
    private var queue: ArraySlice<ConsumedRecord> = []
    private var delivered: String?
    private var next: String?
    private var children: Set<String> = []
    private var failures = 0
    private var pause: Duration?
    private var isStopping = false
    private var hasHandler = false
    /// When LATEST was meant, from the lease or when it was first asked for: an iterator before any checkpoint must not skip
    /// what came in between.
    private var latestFrom: Int64?
    /// How far the last read was behind the newest record, in milliseconds; nil before the first read.
    public private(set) var millisBehindLatest: Int64?

    /// Begins at a lease as it was taken.
    public init(lease: Lease, settings: Settings = Settings()) {
        self.lease = lease
        self.settings = settings
        latestFrom = lease.latestFrom
        stage = lease.parents.isEmpty ? .begin : .parents
    }

    /// The checkpoint as stored.
    public var checkpoint: Checkpoint { lease.checkpoint }

    /// What a full or lagging read will be followed by, if it can be asked for already while records are handled.
    public var expectedRead: String? {
        guard !isStopping, stage == .delivering, let behind = millisBehindLatest, behind > 0 else { return nil }
        return next
    }

    /// The first step.
    public mutating func start() -> Step {
        if lease.checkpoint == .shardEnd { return end(.shardEnd) }
        return proceed()
    }

    /// Asks for an orderly end; it takes effect with the next step.
    public mutating func stop() { isStopping = true }

    /// All parents are at their end, or not.
    public mutating func parents(finished: Bool) -> Step {
        guard finished else { return isStopping ? proceed() : .wait(settings.parentPollTime) }
        stage = .begin
        return proceed()
    }

    /// The handler has begun; `row` is the lease as it is stored now, `batchSize` the most records of one `handle`.
    public mutating func handlerReady(row: Lease, batchSize: Int) -> Step {
        hasHandler = true
        self.batchSize = max(1, batchSize)
        lease.checkpoint = row.checkpoint
        lease.subSequenceNumber = row.subSequenceNumber
        delivered = nil
        stage = .open
        return proceed()
    }

    /// An iterator, asked for at this wall-clock time in milliseconds since 1970.
    public mutating func opened(_ iterator: String, askedAt: Int64) -> Step {
        latestFrom = latestFrom ?? askedAt
        stage = .read(iterator)
        return proceed()
    }

    /// A page, asked for with this limit.
    public mutating func read(_ page: RecordPage, limit: Int) -> Step {
        failures = 0
        millisBehindLatest = page.millisBehindLatest
        next = page.nextIterator
        children = page.children
        queue = page.records[...]
        if page.records.count >= limit || page.nextIterator == nil || (page.millisBehindLatest > 0 && !queue.isEmpty) {
            pause = nil
        } else {
            pause = page.millisBehindLatest > 0 ? min(settings.idleTime, .milliseconds(200)) : settings.idleTime
        }
        stage = .delivering
        return proceed()
    }

    /// A read or an iterator failed.
    public mutating func failed(_ error: ShardReadError) -> Step {
        switch error {
        case .iteratorExpired:
            stage = .open
            // One that is refused again and again must not be asked for without a pause.
            let pause = backoff()
            return failures == 1 || isStopping ? proceed() : .wait(pause)
        case .shardGone:
            next = nil
            children = []
            queue = []
            stage = .delivering
            return proceed()
        case .streamGone:
            return end(.streamGone)
        case .throttled, .unavailable, .refused, .positionRefused:
            return isStopping ? proceed() : .wait(backoff())
        }
    }

    /// The handler answered.
    public mutating func handled(upTo position: String?) -> Step {
        if case .finishing(let ending) = stage {
            stage = ending == .shardEnd ? .ending : .over
            if ending == .shardEnd {
                let isComplete =
                    delivered == nil || position == delivered || lease.checkpoint == delivered.map { .sequence($0) }
                precondition(isComplete, "a handler left records unfinished at the end of \(lease.key)")
            }
        }
        guard let position else { return proceed() }
        precondition(
            delivered.map { !SequenceOrder.isBefore($0, position) } ?? false,
            "a handler finished a record of \(lease.key) that it was not given"
        )
        if case .sequence(let before) = lease.checkpoint, !SequenceOrder.isBefore(before, position) { return proceed() }
        storing = .sequence(position)
        return .checkpoint(.sequence(position), children: [])
    }

    /// The handler threw, or could not begin: pause, then begin another at the checkpoint.
    public mutating func handlerFailed() -> Step {
        hasHandler = false
        queue = []
        next = nil
        pause = nil
        if isStopping { return end(.stopped) }
        stage = .begin
        return .wait(backoff())
    }

    /// The checkpoint asked for is in the table.
    public mutating func stored() -> Step {
        if let storing { lease.checkpoint = storing }
        lease.subSequenceNumber = 0
        storing = nil
        return proceed()
    }

    /// The pause is over.
    public mutating func waited() -> Step { proceed() }

    private mutating func end(_ result: Result) -> Step {
        stage = .over
        return .done(result)
    }

    private mutating func proceed() -> Step {
        if isStopping, let step = stopStep() { return step }
        switch stage {
        case .parents: return .lookAtParents(lease.parents)
        case .begin: return .beginHandler
        case .open: return .open(position)
        case .read(let iterator): return .read(iterator: iterator, limit: settings.readLimit)
        case .delivering: return deliver()
        case .time:
            guard let next else {
                stage = .finishing(.shardEnd)
                return .finish(.shardEnd)
            }
            stage = .read(next)
            if let pause {
                self.pause = nil
                return .wait(pause)
            }
            return .read(iterator: next, limit: settings.readLimit)
        case .finishing(let ending): return .finish(ending)
        case .ending:
            stage = .over
            storing = .shardEnd
            return .checkpoint(.shardEnd, children: children)
        case .over: return .done(lease.checkpoint == .shardEnd ? .shardEnd : .stopped)
        }
    }

    private mutating func stopStep() -> Step? {
        switch stage {
        case .finishing, .ending, .over: return nil
        case .parents, .begin, .open, .read, .time, .delivering:
            guard hasHandler else { return end(.stopped) }
            stage = .finishing(.stopping)
            return .finish(.stopping)
        }
    }

    private mutating func deliver() -> Step {
        guard !queue.isEmpty else {
            stage = .time
            return .lookAtTime
        }
        let batch = queue.prefix(batchSize)
        queue = queue.dropFirst(batchSize)
        delivered = batch.last?.sequenceNumber
        return .handle(Array(batch))
    }

    private var position: ReadPosition {
        if let delivered { return .after(delivered) }
        switch lease.checkpoint {
        case .trimHorizon: return .trimHorizon
        case .latest: return latestFrom.map { .atTimestamp($0) } ?? .latest
        case .atTimestamp: return .atTimestamp(settings.initialTimestamp)
        case .sequence(let number): return lease.subSequenceNumber > 0 ? .at(number) : .after(number)
        case .shardEnd: return .latest
        }
    }

    private mutating func backoff() -> Duration {
        failures += 1
        return settings.backoff * (1 << min(failures - 1, 5))
    }
}
