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
/// Runs that wait while an append is in flight are merged into one frame, so small puts from many connections share a
/// frame and a sync. Large runs make a frame of their own at once: merging them would copy more than a header costs.
///
///     enqueue ──> [pending] ──seal──> append ──> (engine: group commit) ──> completion
///                    ^  small runs wait here while an append is in flight     │
///                    └────────────────────────── next seal <──────────────────┘
final class ShardWriter: Sendable {
    typealias Completion = @Sendable (Result<Placement, WriteFailure>) -> Void

    /// What `enqueue` made of a run.
    enum Admission: Sendable {
        /// Its completion will be called.
        case accepted
        /// It holds sequences the shard may have already: look at its records one by one (`isDuplicate`).
        case overlaps
        /// The writer must be opened (again) first.
        case needsOpening
        /// The shard takes no more records.
        case closed
    }

    /// Runs below this many bytes wait for company while an append is in flight.
    static let mergeLimit = 16 * 1024

    let ref: ShardRef
    let shard: Shard
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())

    private struct Pending {
        var run: RecordRun
        var completion: Completion
    }

    /// A run on its way to the disk.
    private struct Sealed: Sendable {
        var producers: [ProducerRange]
        var completion: Completion
        /// The index of its frame in the append, and of its first record in the frame.
        var frame: Int
        var firstIndex: Int
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
        /// Appends handed to the log, and those it has answered: answers come in order.
        var sealed = 0
        var answered = 0
        /// Called when so many appends are answered; false when one failed meanwhile.
        var barriers: [(after: Int, done: @Sendable (Bool) -> Void)] = []
        var bytesSinceSnapshot = 0
    }

    /// Starts unopened.
    init(ref: ShardRef, shard: Shard, now: @escaping @Sendable () -> Int64) {
        self.ref = ref
        self.shard = shard
        self.now = now
    }

    /// Takes over the shard with what its log says of it.
    func opened(_ appender: any ShardAppender, nextOffset: Int64, lastArrival: Int64, producers: ProducerTable) {
        state.withLock { state in
            guard state.phase == .unopened else { return }
            state.phase = .open
            state.appender = appender
            state.nextOffset = nextOffset
            state.lastArrival = lastArrival
            state.last = appender.tail
            state.producers = producers
            state.queued = [:]
        }
    }

    /// Whether it must be opened before it takes records.
    var isUnopened: Bool { state.withLock { $0.phase == .unopened } }

    /// Tasks that wait in `settled`.
    var barrierCount: Int { state.withLock { $0.barriers.count } }

    /// Queues a run. `completion` is called on a thread of the log, once, when the run is durable or has failed.
    func enqueue(_ run: consuming RecordRun, completion: @escaping Completion) -> Admission {
        let run = run
        return state.withLock { state in
            switch state.phase {
            case .unopened: return .needsOpening
            case .closing, .closed: return .closed
            case .open: break
            }
            for range in run.producers where range.first <= range.last {
                let known = max(
                    state.producers.highest(range.producer) ?? .min,
                    state.queued[range.producer] ?? .min
                )
                if range.first <= known { return .overlaps }
            }
            for range in run.producers where range.first <= range.last { state.queued[range.producer] = range.last }
            let isSmall = run.byteCount < Self.mergeLimit
            state.pendingRecords += run.count
            state.pendingBytes += run.byteCount
            state.pending.append(Pending(run: run, completion: completion))
            if state.inFlight == 0 || !isSmall || state.pendingRecords > 10_000 || state.pendingBytes > 1 << 20 {
                seal(&state)
            }
            return .accepted
        }
    }

    /// Whether the shard holds this record, or is about to.
    func isDuplicate(producer: UInt64, sequence: Int64, key: HashKey) -> Bool {
        state.withLock { state in
            if let queued = state.queued[producer], sequence <= queued { return true }
            guard let last = state.producers.last(producer, for: key) else { return false }
            return sequence <= last
        }
    }

    /// Returns when everything enqueued before is durable, with the last frame's position; nil when some of it failed.
    func settled() async -> Position? {
        let isGood = await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                // What is pending goes with the next append. Later ones are not waited for: they may never end.
                let after = state.sealed + (state.pending.isEmpty ? 0 : 1)
                if state.answered >= after { return true }
                state.barriers.append((after, { continuation.resume(returning: $0) }))
                return false
            }
            if isIdle { continuation.resume(returning: true) }
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

    /// The producers' snapshot, when at least so many bytes were written since the last one.
    func takeSnapshot(every bytes: Int) -> [UInt8]? {
        state.withLock { state in
            guard state.phase == .open, state.bytesSinceSnapshot >= bytes else { return nil }
            state.bytesSinceSnapshot = 0
            return state.producers.snapshot(at: state.last.rawValue)
        }
    }

    /// Forgets producers that were silent for long.
    func forgetProducers(silentSince limit: Int64) {
        state.withLock { $0.producers.forget(silentSince: limit) }
    }

    // MARK: - Under the lock

    private func seal(_ state: inout State) {
        let waiting = state.pending
        guard !waiting.isEmpty, let appender = state.appender else { return }
        state.pending = []
        (state.pendingRecords, state.pendingBytes) = (0, 0)
        let arrival = max(now(), state.lastArrival)
        state.lastArrival = arrival

        var frames: [AppendFrame] = []
        var places: [(frame: Int, firstIndex: Int)] = []
        var group: [RecordRun] = []
        var groupRecords = 0
        func flush(_ state: inout State) {
            if group.isEmpty { return }
            let count = groupRecords
            let bytes = FrameEncoder.seal(
                group,
                baseOffset: state.nextOffset,
                arrivalMilliseconds: arrival,
                epoch: 0,
                source: .kinesis
            )
            state.nextOffset += Int64(count)
            state.bytesSinceSnapshot += bytes.count
            frames.append(AppendFrame(bytes: bytes, arrivalMilliseconds: arrival))
            group = []
            groupRecords = 0
        }
        for item in waiting {
            let isSmall = item.run.byteCount < Self.mergeLimit
            if !isSmall || groupRecords + item.run.count > 60_000 { flush(&state) }
            places.append((frames.count, groupRecords))
            group.append(item.run)
            groupRecords += item.run.count
            if !isSmall { flush(&state) }
        }
        flush(&state)

        state.inFlight += 1
        state.sealed += 1
        let sealed = zip(waiting, places).map { item, place in
            Sealed(
                producers: item.run.producers,
                completion: item.completion,
                frame: place.frame,
                firstIndex: place.firstIndex
            )
        }
        appender.append(frames) { [self] result in
            let actions = self.state.withLock { state in
                self.finish(&state, result, sealed.map(\.producers), arrival)
            }
            switch result {
            case .success(let positions):
                for item in sealed {
                    item.completion(
                        .success(
                            Placement(
                                position: positions[item.frame],
                                firstIndex: item.firstIndex,
                                arrivalMilliseconds: arrival
                            )
                        )
                    )
                }
            case .failure(let error):
                for item in sealed { item.completion(.failure(Self.failure(error))) }
            }
            for action in actions { action() }
        }
    }

    /// Takes in how an append ended; returns what is to be done outside the lock.
    private func finish(
        _ state: inout State,
        _ result: Result<[Position], ShardLogError>,
        _ producers: [[ProducerRange]],
        _ arrival: Int64
    ) -> [@Sendable () -> Void] {
        state.inFlight -= 1
        state.answered += 1
        var actions: [@Sendable () -> Void] = []
        switch result {
        case .success:
            // The last frame's own position: a snapshot taken here must not skip frames whose completions are to come.
            if case .success(let positions) = result, let last = positions.last { state.last = last }
            for range in producers.joined() where range.first <= range.last {
                state.producers.note(range.producer, last: range.last, seen: arrival)
                if state.queued[range.producer] == range.last { state.queued[range.producer] = nil }
            }
            if state.inFlight == 0 { seal(&state) }
        case .failure(let error):
            // What was queued behind the failed append can't be ordered behind it any more: it fails too, and the next
            // put opens the shard anew and reads what really stands in the log.
            let failed = state.pending
            state.pending = []
            (state.pendingRecords, state.pendingBytes) = (0, 0)
            state.queued = [:]
            if state.phase == .open { state.phase = .unopened }
            let failure = Self.failure(error)
            actions += failed.map { item in { item.completion(.failure(failure)) } }
        }
        let isGood = if case .success = result { true } else { false }
        let (reached, answered) = (state.barriers.filter { !isGood || $0.after <= state.answered }, state.answered)
        actions += reached.map { barrier in { barrier.done(isGood) } }
        state.barriers.removeAll { !isGood || $0.after <= answered }
        return actions
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
