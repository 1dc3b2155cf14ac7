import CChecksums
import RecordBatch
import ShardLog
import StreamModel
import Synchronization

/// Where a run of records went.
struct Placement: Sendable {
    /// The frame.
    var position: Position
    /// The index of the run's first record in the frame.
    var firstIndex: Int
    /// When the frame arrived, in milliseconds since 1970.
    var arrivalMilliseconds: Int64
}

/// Why a run was not stored.
enum WriteFailure: Error, Sendable {
    /// The shard is closed or closing: route again.
    case closed
    /// The log can't take it now, or can't tell whether it did.
    case unavailable(String)
}

/// Puts runs of records into one open shard's log, in order.
///
/// Runs that wait while two appends are in flight are merged into one frame, so small puts from many connections share a
/// frame and a sync. Two, for then one is there for the next sync while another syncs: a put over many shards does not wait
/// for every other one that shares a shard with it. Large runs make a frame of their own at once: merging them would copy
/// more than a header costs.
///
///     enqueue ──> [pending] ──seal──> append ──> (engine: group commit) ──> completion
///                    ^  small runs wait here while two are in flight          │
///                    └────────────────────────── next seal <──────────────────┘
final class ShardWriter: Sendable {
    /// What `enqueue` made of a run.
    enum Admission: Sendable {
        /// Its put will be told how it ended.
        case accepted
        /// It holds sequences the shard may have already: look at its records one by one (`find`).
        case overlaps
        /// The writer must be opened (again) first.
        case needsOpening
        /// The shard takes no more records.
        case closed
    }

    /// Runs below this many bytes wait for company while so many appends are in flight.
    static let mergeLimit = 16 * 1024
    static let inFlightLimit = 2

    // What every append touches comes first: see `prefetch`.
    let ref: ShardRef
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())
    /// Never to be read: it may be gone.
    private let appenderAddress = Atomic<UInt>(0)
    let shard: Shard
    let traffic: ShardTraffic

    private struct Pending {
        var run: RecordRun
        var put: PutJoin
        var part: Int
    }

    /// A run on its way to the disk.
    private struct Sealed: Sendable {
        var producers: [ProducerRange]
        /// Who is told, and of which of its parts.
        var put: PutJoin
        var part: Int
        /// The index of its frame in the append, and of its first record in the frame.
        var frame: Int
        var firstIndex: Int
    }

    /// What the answer to an append of one run needs. Its put keeps it.
    struct SingleAppend: Sendable {
        fileprivate let producers: [ProducerRange]
        fileprivate let arrival: Int64
        fileprivate let epoch: Int
    }

    private enum Phase {
        case unopened, open, closing, closed
    }

    private struct State {
        var phase = Phase.unopened
        var appender: (any ShardAppender)?
        var nextOffset: Int64 = 0
        var lastArrival: Int64 = 0
        /// The last durable frame, or the log's end when it was opened.
        var last = Position.start
        var inFlight = 0
        var pending: [Pending] = []
        var pendingRecords = 0
        var pendingBytes = 0
        /// Durable.
        var producers = ProducerTable()
        /// Enqueued, not yet durable.
        var queued: [UInt64: Int64] = [:]
        /// Counts failures: what was learnt of the queue before one does not hold behind it.
        var epoch = 0
        /// Appends handed to the log in this epoch, and those it has answered: answers come in order.
        var sealed = 0
        var answered = 0
        /// Called when so many appends of this epoch are answered; false when one failed.
        var barriers: [(after: Int, done: @Sendable (Bool) -> Void)] = []
        var bytesSinceSnapshot = 0

        /// The producer's last sequence that is in the shard's own log, or on its way there.
        func own(_ producer: UInt64) -> Int64 {
            max(producers.own[producer]?.last ?? .min, queued[producer] ?? .min)
        }
    }

    /// Starts unopened.
    init(ref: ShardRef, shard: Shard, traffic: ShardTraffic = ShardTraffic(), now: @escaping @Sendable () -> Int64) {
        self.ref = ref
        self.shard = shard
        self.traffic = traffic
        self.now = now
    }

    /// Takes over the shard with what its log says of it.
    func opened(
        _ appender: any ShardAppender,
        nextOffset: Int64,
        lastArrival: Int64,
        producers: ProducerTable,
        bytesSinceSnapshot: Int = 0
    ) {
        state.withLock { state in
            guard state.phase == .unopened else { return }
            state.phase = .open
            state.appender = appender
            appenderAddress.store(UInt(bitPattern: ObjectIdentifier(appender)), ordering: .relaxed)
            // Offsets never go back, also where retention has taken every frame that would tell how far they were.
            state.nextOffset = max(state.nextOffset, nextOffset)
            state.lastArrival = lastArrival
            state.last = appender.tail
            state.producers = producers
            state.bytesSinceSnapshot = bytesSinceSnapshot
            state.queued = [:]
        }
    }

    /// Asks for the memory that an append and its answer need: a put goes through hundreds of shards, and each would be waited for.
    func prefetch() { millrace_prefetch(Unmanaged.passUnretained(self).toOpaque(), Self.hotBytes) }

    /// The same of its appender, when that of the writer itself is at hand.
    func prefetchAppender() {
        let address = UnsafeRawPointer(bitPattern: appenderAddress.load(ordering: .relaxed))
        if let address { millrace_prefetch(address, 64) }
    }

    private static let hotBytes = 216

    /// So many shards ahead it is asked for: by then it is there, and still there.
    static let ahead = 6

    /// Whether it must be opened before it takes records.
    var isUnopened: Bool { state.withLock { $0.phase == .unopened } }

    /// Tasks that wait in `settled`.
    var barrierCount: Int { state.withLock { $0.barriers.count } }

    /// Queues a run, which is a part of a put. When it is accepted the put is told, on a thread of the log, when the run is durable
    /// or has failed.
    ///
    /// `sifting` is for a run whose records were looked at one by one: what was found then. The run is taken when it still
    /// holds.
    func enqueue(
        _ run: RecordRun,
        sifting: Sifting? = nil,
        part: Int,
        of put: PutJoin
    ) -> Admission {
        state.withLock { state in
            switch state.phase {
            case .unopened: return .needsOpening
            case .closing, .closed: return .closed
            case .open: break
            }
            // A failure since the first look may have taken away what a record was a duplicate of.
            if let sifting, sifting.epoch != state.epoch { return .overlaps }
            for range in run.producers where range.first <= range.last {
                let own = state.own(range.producer)
                if let sifting {
                    if sifting.own[range.producer] != own { return .overlaps }
                } else if range.first <= max(own, state.producers.highest(range.producer) ?? .min) {
                    return .overlaps
                }
            }
            for range in run.producers where range.first <= range.last {
                state.queued[range.producer] = max(range.last, state.queued[range.producer] ?? .min)
            }
            let waits = state.inFlight >= Self.inFlightLimit && run.byteCount < Self.mergeLimit
            if !waits, state.pending.isEmpty {
                seal(&state, run, part, of: put)
                return .accepted
            }
            state.pendingRecords += run.count
            state.pendingBytes += run.byteCount
            state.pending.append(Pending(run: run, put: put, part: part))
            if !waits || state.pendingRecords > 10_000 || state.pendingBytes > 1 << 20 { seal(&state) }
            return .accepted
        }
    }

    /// What the shard knows of a record.
    struct Finding {
        /// Whether it is there, or about to be; `settled` tells.
        var isDuplicate: Bool
        /// The last sequence of the producer that the shard took itself.
        var own: Int64
        /// For `settled`.
        var epoch: Int
    }

    /// What the looks at the records of one run found.
    struct Sifting {
        /// Of the first look.
        var epoch: Int
        /// What the shard itself held of each producer of the run at the first look at a record that is to be stored.
        var own: [UInt64: Int64] = [:]
    }

    /// Looks at one record of a producer.
    func find(producer: UInt64, sequence: Int64, key: HashKey) -> Finding {
        state.withLock { state in
            let own = state.own(producer)
            let last = max(own, state.producers.last(producer, for: key) ?? .min)
            return Finding(isDuplicate: sequence <= last, own: own, epoch: state.epoch)
        }
    }

    /// Returns when everything enqueued before is durable, with the last frame's position; nil when some of it failed, also
    /// when it did so since a finding of the named epoch.
    func settled(since epoch: Int? = nil) async -> Position? {
        let isGood = await withCheckedContinuation { continuation in
            let known: Bool? = state.withLock { state in
                if let epoch, epoch != state.epoch { return false }
                // What is pending goes with the next append. Later ones are not waited for: they may never end.
                let after = state.sealed + (state.pending.isEmpty ? 0 : 1)
                if state.answered >= after { return true }
                state.barriers.append((after, { continuation.resume(returning: $0) }))
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
        return isGood ? state.withLock { $0.last } : nil
    }

    /// Lets go of the shard: runs on the way finish, later ones are refused. Returns false when the log failed.
    func close() async throws(ShardLogError) -> ProducerTable {
        state.withLock { if $0.phase != .closed { $0.phase = .closing } }
        _ = await settled()
        let (appender, producers) = state.withLock { ($0.appender, $0.producers) }
        if let appender { try await appender.close() }
        state.withLock { $0.phase = .closed }
        return producers
    }

    /// A close that failed: takes records again after being opened again.
    func reopenAfterFailedClose() {
        state.withLock { $0.phase = .unopened }
    }

    /// The producers' snapshot, when at least so many bytes were written since the last one, and that number, for
    /// `snapshotStored`.
    func snapshot(every bytes: Int) -> (value: [UInt8], bytes: Int)? {
        state.withLock { state in
            guard state.phase == .open, state.bytesSinceSnapshot >= bytes else { return nil }
            return (state.producers.snapshot(at: state.last.rawValue), state.bytesSinceSnapshot)
        }
    }

    /// A snapshot is in the store.
    func snapshotStored(bytes: Int) {
        state.withLock { $0.bytesSinceSnapshot = max(0, $0.bytesSinceSnapshot - bytes) }
    }

    /// Forgets producers that were silent for long.
    func forgetProducers(silentSince limit: Int64) {
        state.withLock { $0.producers.forget(silentSince: limit) }
    }

    // MARK: - Under the lock

    /// Appends what waits.
    private func seal(_ state: inout State) {
        if state.pending.isEmpty { return }
        var waiting: [Pending] = []
        swap(&waiting, &state.pending)
        (state.pendingRecords, state.pendingBytes) = (0, 0)
        if waiting.count == 1 { return seal(&state, waiting[0].run, waiting[0].part, of: waiting[0].put) }
        let (appender, arrival) = beginAppend(&state)
        var frames: [AppendFrame] = []
        var sealed: [Sealed] = []
        sealed.reserveCapacity(waiting.count)
        var group: [RecordRun] = []
        var groupRecords = 0
        func flush(_ state: inout State) {
            if group.isEmpty { return }
            let bytes = FrameEncoder.seal(
                group,
                shard: ref.index,
                baseOffset: state.nextOffset,
                arrivalMilliseconds: arrival,
                epoch: 0,
                source: .kinesis
            )
            frames.append(makeFrame(&state, of: bytes, records: groupRecords, arrival))
            group.removeAll(keepingCapacity: true)
            groupRecords = 0
        }
        for item in waiting {
            let run = item.run
            let isSmall = run.byteCount < Self.mergeLimit
            // A frame has one key, or none: each put's run has the one that its stream had then.
            let isOther = group.first.map { $0.key !== run.key } ?? false
            if !isSmall || isOther || groupRecords + run.count > 60_000 { flush(&state) }
            sealed.append(
                Sealed(
                    producers: run.producers,
                    put: item.put,
                    part: item.part,
                    frame: frames.count,
                    firstIndex: groupRecords
                )
            )
            groupRecords += run.count
            group.append(run)
            if !isSmall { flush(&state) }
        }
        flush(&state)
        let epoch = state.epoch
        appender.append(frames) { [self, sealed] result in answer(sealed, result, arrival, epoch) }
    }

    /// Appends one run: what nearly every run of a put over many shards is.
    private func seal(_ state: inout State, _ run: RecordRun, _ part: Int, of put: PutJoin) {
        let (appender, arrival) = beginAppend(&state)
        let bytes = FrameEncoder.seal(
            run,
            shard: ref.index,
            baseOffset: state.nextOffset,
            arrivalMilliseconds: arrival,
            epoch: 0,
            source: .kinesis
        )
        let frame = makeFrame(&state, of: bytes, records: run.count, arrival)
        let append = SingleAppend(producers: run.producers, arrival: arrival, epoch: state.epoch)
        put.keep(append, of: part)
        appender.append(frame, tag: part, caller: put)
    }

    /// Counts an append as in flight. Its time is never before that of the last one.
    private func beginAppend(_ state: inout State) -> (any ShardAppender, arrival: Int64) {
        guard let appender = state.appender else { preconditionFailure("an open writer has an appender") }
        state.lastArrival = max(now(), state.lastArrival)
        state.inFlight += 1
        state.sealed += 1
        return (appender, state.lastArrival)
    }

    /// A frame of so many records, which take their offsets.
    private func makeFrame(_ state: inout State, of bytes: FrameBytes, records: Int, _ arrival: Int64) -> AppendFrame {
        state.nextOffset += Int64(records)
        state.bytesSinceSnapshot += bytes.count
        return AppendFrame(bytes: bytes, arrivalMilliseconds: arrival)
    }

    /// The log's answer to the append of one run.
    func answer(_ append: SingleAppend, _ result: Result<Position, ShardLogError>, to put: PutJoin, part: Int) {
        let sealed = Sealed(producers: append.producers, put: put, part: part, frame: 0, firstIndex: 0)
        answer(CollectionOfOne(sealed), result.map { CollectionOfOne($0) }, append.arrival, append.epoch)
    }

    /// The log's answer to an append of the named epoch.
    private func answer<Positions: RandomAccessCollection<Position>>(
        _ sealed: some Collection<Sealed>,
        _ result: Result<Positions, ShardLogError>,
        _ arrival: Int64,
        _ epoch: Int
    ) where Positions.Index == Int {
        let actions = state.withLock { state in
            // An answer to an append behind one that failed, perhaps after the shard was opened anew: it fails too, and
            // says nothing of what was queued since.
            if state.epoch != epoch { return [@Sendable () -> Void]() }
            return finish(&state, result, sealed, arrival)
        }
        switch result {
        case .success(let positions):
            for item in sealed {
                let placement = Placement(
                    position: positions[item.frame],
                    firstIndex: item.firstIndex,
                    arrivalMilliseconds: arrival
                )
                item.put.complete(item.part, .placed(placement))
            }
        case .failure(let error):
            for item in sealed { item.put.complete(item.part, .failed(Self.failure(error))) }
        }
        for action in actions { action() }
    }

    /// Takes in how an append ended; returns what is to be done outside the lock.
    private func finish(
        _ state: inout State,
        _ result: Result<some RandomAccessCollection<Position>, ShardLogError>,
        _ sealed: some Collection<Sealed>,
        _ arrival: Int64
    ) -> [@Sendable () -> Void] {
        switch result {
        case .success(let positions):
            state.inFlight -= 1
            state.answered += 1
            // The last frame's own position: a snapshot taken here must not skip frames whose completions are to come.
            if let last = positions.last { state.last = last }
            for item in sealed {
                for range in item.producers where range.first <= range.last {
                    state.producers.note(range.producer, last: range.last, seen: arrival)
                    if state.queued[range.producer] == range.last { state.queued[range.producer] = nil }
                }
            }
            if state.inFlight < Self.inFlightLimit { seal(&state) }
            if state.barriers.isEmpty { return [] }
            let answered = state.answered
            let reached = state.barriers.filter { $0.after <= answered }
            state.barriers.removeAll { $0.after <= answered }
            return reached.map { barrier in { barrier.done(true) } }
        case .failure(let error):
            // What was queued behind the failed append can't be ordered behind it any more: it fails too, and the next
            // put opens the shard anew and reads what really stands in the log.
            let (failed, barriers) = (state.pending, state.barriers)
            state.epoch += 1
            (state.inFlight, state.sealed, state.answered) = (0, 0, 0)
            (state.pending, state.barriers, state.queued) = ([], [], [:])
            (state.pendingRecords, state.pendingBytes) = (0, 0)
            if state.phase == .open { state.phase = .unopened }
            let failure = Self.failure(error)
            var actions: [@Sendable () -> Void] = []
            for item in failed { actions.append { item.put.complete(item.part, .failed(failure)) } }
            for barrier in barriers { actions.append { barrier.done(false) } }
            return actions
        }
    }

    private static func failure(_ error: ShardLogError) -> WriteFailure {
        switch error {
        case .closed: .closed
        case .unavailable(let reason, _), .unknown(let reason), .corrupt(let reason): .unavailable(reason)
        case .conflict: .unavailable("another writer owns the shard")
        case .notFound: .unavailable("the shard's log is gone")
        case .tooLarge(let limit): .unavailable("a frame is larger than \(limit) bytes")
        case .trimmed: .unavailable("the position is trimmed")
        }
    }
}
