import AWSProtocol
import RecordBatch
import ShardLog
import StreamModel
import Synchronization

/// One put request on its way into the shards.
///
///     entries ──route──> a run per shard ──enqueue──> shard writers ──join──> an outcome per entry
///
/// The usual request goes round once. Records whose shard was closed under them are routed again; a run that overlaps
/// what a producer has stored already is sifted record by record first.
struct PutJob {
    /// How one record ended.
    enum Outcome {
        case waiting
        case stored(shard: Shard, counter: UInt64, arrival: Int64)
        /// Was there before; the number is the shard's newest, as the record's own is not kept.
        case duplicate(shard: Shard, counter: UInt64, arrival: Int64)
        case failed(shard: ShardID, reason: String)
        /// The shard has had as much as its limits allow; the record was not looked at further.
        case throttled(shard: ShardID)
    }

    let stream: Stream
    let body: [UInt8]
    let put: PutBody
    let producers: ProducerHeader?
    private let rule: KeyRouter.Rule
    /// What the shards' limits are; nil where there are none.
    private let throttle: PutThrottle?
    private(set) var outcomes: [Outcome]
    private(set) var userBytes = 0
    /// Whether the records were encrypted.
    private(set) var isEncrypted = false

    init(
        stream: Stream,
        body: [UInt8],
        put: PutBody,
        producers: ProducerHeader?,
        throttle: PutThrottle? = nil
    ) {
        self.throttle = throttle
        self.stream = stream
        self.body = body
        self.put = put
        self.producers = producers
        rule = stream.record.settings.strategy == .auto ? .turns(from: stream.takeTurns(put.entries.count)) : .keys
        outcomes = Array(repeating: .waiting, count: put.entries.count)
    }

    private var entries: [PutEntry] { put.entries }

    private enum Verdict: Sendable {
        case placed(Placement)
        case failed(WriteFailure)
        case overlaps
        case needsOpening
        case closed
    }

    /// Runs to the end. `key` is what the stream's records are encrypted with now, `open` opens a shard's writer.
    mutating func run(
        key: () throws(AWSError) -> FrameKey?,
        open: (ShardWriter) async throws(AWSError) -> Void
    ) async throws(AWSError) {
        var sifting: Set<UInt32> = []
        var rounds = 0
        var isRerouted = false
        while rounds < 100 {
            rounds += 1
            let routes = stream.routes
            let key = try key()
            isEncrypted = key != nil
            var round = try encode(routes, sifting: sifting, key: key)
            // Once per request: what was let in goes in, whatever becomes of its shard. When some of it is refused, the rest is
            // encoded anew, and no more than that.
            if rounds == 1, let throttle, refuse(beyond: throttle, round, routes) {
                round = try encode(routes, sifting: sifting, key: key)
            }
            let verdicts = await submit(&round, routes)
            var isDone = true
            var refused: Set<Int> = []
            for (slot, verdict) in verdicts.enumerated() {
                guard let verdict else { continue }
                let writer = routes.writers[slot]
                switch verdict {
                case .placed, .failed(.unavailable): break
                case .closed, .failed(.closed):
                    // A reshard holds `control` until the children take records.
                    await stream.control.withLock {}
                    refused.insert(slot)
                    isDone = false
                    isRerouted = true
                case .needsOpening:
                    try await open(writer)
                    refused.insert(slot)
                    isDone = false
                case .overlaps:
                    sifting.insert(writer.shard.id.index)
                    refused.insert(slot)
                    isDone = false
                }
            }
            await settle(round, verdicts, routes, refused: refused)
            if isDone || (producers != nil && stopAtFailure(isRerouted)) { return }
        }
        throw .unavailable("The stream's shards keep changing. Try again.")
    }

    /// Throws what `run` would refuse, and stores nothing.
    func rehearse() throws(AWSError) { _ = try encode(stream.routes, sifting: [], key: nil) }

    /// A producer's later records must not overtake its earlier ones in a shard, or the earlier ones would be taken for
    /// stored. So when a record has failed, those that would go into another round fail too, and all are sent again. What a
    /// shard's limit refused is a tail of the shard's records: it stops nothing while they still go to that shard.
    private mutating func stopAtFailure(_ isRerouted: Bool) -> Bool {
        let failure = outcomes.first { outcome in
            switch outcome {
            case .failed: true
            case .throttled: isRerouted
            case .waiting, .stored, .duplicate: false
            }
        }
        guard let failure else { return false }
        for index in outcomes.indices {
            if case .waiting = outcomes[index] { outcomes[index] = failure }
        }
        return true
    }

    /// How many records ended how.
    var ends: (stored: Int, duplicates: Int, failed: Int, throttled: Int) {
        var ends = (stored: 0, duplicates: 0, failed: 0, throttled: 0)
        for outcome in outcomes {
            switch outcome {
            case .stored: ends.stored += 1
            case .duplicate: ends.duplicates += 1
            case .failed, .waiting: ends.failed += 1
            case .throttled: ends.throttled += 1
            }
        }
        return ends
    }

    // MARK: - Encoding

    private struct Round {
        /// By slot: the records that a shard is asked to take, until it has been.
        var parts: [RecordRun?]
        /// By slot: how many they were, and bytes of data and keys.
        var submitted: [(records: Int, bytes: Int)] = []
        /// Per entry: the slot in the routes, or −1 when it takes no part in this round.
        var slots: [Int32]
        /// Per entry: its index within its run.
        var ordinals: [Int32]
        /// What was found of the shards whose records are looked at one by one, by slot.
        var siftings: [Int: ShardWriter.Sifting] = [:]
        /// Per entry, where shards have limits: bytes of data and key.
        var sizes: [Int32] = []
        /// Per entry, where keys are sampled.
        var keys: [HashKey] = []
        /// Entries that were stored before, with their slots, and when that was found.
        var duplicates: [(entry: Int, slot: Int, epoch: Int)]
    }

    private func encode(_ routes: Routes, sifting: Set<UInt32>, key: FrameKey?) throws(AWSError) -> Round {
        var round = Round(
            parts: Array(repeating: nil, count: routes.writers.count),
            slots: Array(repeating: -1, count: entries.count),
            ordinals: Array(repeating: 0, count: entries.count),
            duplicates: []
        )
        if let throttle {
            round.sizes = Array(repeating: 0, count: entries.count)
            if throttle.isSampled { round.keys = Array(repeating: HashKey(0), count: entries.count) }
        }
        var sequences = SequenceCursor(producers)
        let dataCount = put.format == .json ? body.count / 4 * 3 : body.count
        // A shard of several gets twice its share at once, and grows where that is not enough.
        let share = dataCount / max(1, min(routes.writers.count, entries.count))
        let reserve = routes.writers.count == 1 ? dataCount + 4096 : 2 * share + 512
        let stretchLimit = producers.map { $0.stretches.count } ?? 0
        try put.withBytes(body) { bytes throws(AWSError) in
            var router = KeyRouter(rule)
            for index in entries.indices {
                let sequence = sequences.next()
                guard case .waiting = outcomes[index] else { continue }
                let hash = try router.hash(entries[index], index, sequence, bytes, routes)
                let slot = routes.index(of: hash)
                let writer = routes.writers[slot]
                let isSifted = sifting.contains(writer.shard.id.index)
                var own: Int64?
                if isSifted, let sequence {
                    let found = writer.find(producer: sequence.producer, sequence: sequence.number, key: hash)
                    if round.siftings[slot] == nil { round.siftings[slot] = ShardWriter.Sifting(epoch: found.epoch) }
                    if found.isDuplicate {
                        round.duplicates.append((index, slot, found.epoch))
                        continue
                    }
                    own = found.own
                }
                if round.parts[slot] == nil {
                    round.parts[slot] = RecordRun(producerCapacity: stretchLimit, key: key, reserving: reserve)
                }
                // The first look counts: when a later one differs, the run is sifted again.
                if let own, let sequence, round.siftings[slot]?.own[sequence.producer] == nil {
                    round.siftings[slot]?.own[sequence.producer] = own
                }
                round.slots[index] = Int32(slot)
                round.ordinals[index] = Int32(round.parts[slot]!.count)
                let before = round.parts[slot]!.userBytes
                try put.append(entries[index], bytes, to: &round.parts[slot]!)
                if throttle != nil { round.sizes[index] = Int32(round.parts[slot]!.userBytes - before) }
                if !round.keys.isEmpty { round.keys[index] = hash }
                if let sequence { Self.note(sequence, in: &round.parts[slot]!) }
            }
        }
        return round
    }

    private static func note(_ sequence: SequenceCursor.Sequence, in run: inout RecordRun) {
        if let last = run.producers.last, last.producer == sequence.producer, last.last < sequence.number {
            run.producers[run.producers.count - 1].last = sequence.number
        } else {
            run.producers.append(
                ProducerRange(producer: sequence.producer, first: sequence.number, last: sequence.number)
            )
        }
    }

    // MARK: - Limits

    /// Takes each shard's records out of what it may still take, in their order: behind the first that is too much, none of the
    /// request's later ones for that shard is let in, so that a retry can't turn their order round. Returns whether one was
    /// refused.
    private mutating func refuse(beyond throttle: PutThrottle, _ round: Round, _ routes: Routes) -> Bool {
        var isRefused = false
        // Which records a shard has is only asked when keys are sampled, or the request does not fit.
        var members: SlotMembers?
        for (slot, part) in round.parts.enumerated() {
            guard let part else { continue }
            func entry(_ ordinal: Int) -> Int {
                if members == nil { members = SlotMembers(round.slots, slots: round.parts.count) }
                return members![slot, ordinal]
            }
            let writer = routes.writers[slot]
            let count = writer.traffic.admit(
                records: part.count,
                bytes: part.userBytes,
                throttle,
                size: { Int(round.sizes[entry($0)]) },
                key: { round.keys[entry($0)] }
            )
            if count == part.count { continue }
            isRefused = true
            writer.traffic.meters.refusedWrites(part.count - count)
            for ordinal in count..<part.count {
                outcomes[entry(ordinal)] = .throttled(shard: writer.shard.id)
            }
        }
        return isRefused
    }

    /// The entries of each slot, in their order.
    private struct SlotMembers {
        private var starts: [Int32]
        private var entries: [Int32]

        init(_ slotOfEntry: [Int32], slots: Int) {
            starts = Array(repeating: 0, count: slots + 1)
            for slot in slotOfEntry where slot >= 0 { starts[Int(slot) + 1] += 1 }
            for slot in 0..<slots { starts[slot + 1] += starts[slot] }
            entries = Array(repeating: 0, count: Int(starts[slots]))
            var next = starts
            for (entry, slot) in slotOfEntry.enumerated() where slot >= 0 {
                entries[Int(next[Int(slot)])] = Int32(entry)
                next[Int(slot)] += 1
            }
        }

        subscript(slot: Int, ordinal: Int) -> Int { Int(entries[Int(starts[slot]) + ordinal]) }
    }

    // MARK: - Storing

    private func submit(_ round: inout Round, _ routes: Routes) async -> [Verdict?] {
        let join = PutJoin(slots: round.parts.count)
        round.submitted = round.parts.map { part in part.map { ($0.count, $0.userBytes) } ?? (0, 0) }
        return await withCheckedContinuation { continuation in
            join.begin(expecting: round.parts.count { $0 != nil }, continuation)
            for slot in round.parts.indices {
                guard let part = round.parts[slot].take() else { continue }
                let admission = routes.writers[slot].enqueue(consume part, sifting: round.siftings[slot]) { result in
                    switch result {
                    case .success(let placement): join.complete(slot, .placed(placement))
                    case .failure(let failure): join.complete(slot, .failed(failure))
                    }
                }
                switch admission {
                case .accepted: break
                case .overlaps: join.complete(slot, .overlaps)
                case .needsOpening: join.complete(slot, .needsOpening)
                case .closed: join.complete(slot, .closed)
                }
            }
        }
    }

    /// Meets the verdicts of a request's parts and resumes the request once.
    private final class PutJoin: Sendable {
        private struct State {
            var verdicts: [Verdict?]
            var missing = 0
            var continuation: CheckedContinuation<[Verdict?], Never>?
        }

        private let state: Mutex<State>

        init(slots: Int) { state = Mutex(State(verdicts: Array(repeating: nil, count: slots))) }

        func begin(expecting count: Int, _ continuation: CheckedContinuation<[Verdict?], Never>) {
            let done = state.withLock { state -> [Verdict?]? in
                state.missing = count
                if count == 0 { return state.verdicts }
                state.continuation = continuation
                return nil
            }
            if let done { continuation.resume(returning: done) }
        }

        func complete(_ slot: Int, _ verdict: Verdict) {
            let ready = state.withLock { state -> (CheckedContinuation<[Verdict?], Never>, [Verdict?])? in
                state.verdicts[slot] = verdict
                state.missing -= 1
                guard state.missing == 0, let continuation = state.continuation else { return nil }
                state.continuation = nil
                return (continuation, state.verdicts)
            }
            if let ready { ready.0.resume(returning: ready.1) }
        }
    }

    private mutating func settle(_ round: Round, _ verdicts: [Verdict?], _ routes: Routes, refused: Set<Int>) async {
        for index in entries.indices where round.slots[index] >= 0 {
            let slot = Int(round.slots[index])
            if refused.contains(slot) { continue }
            let shard = routes.writers[slot].shard
            switch verdicts[slot] {
            case .placed(let placement):
                let record = UInt64(placement.firstIndex) + UInt64(round.ordinals[index])
                outcomes[index] = .stored(
                    shard: shard,
                    counter: placement.position.rawValue << 16 | record,
                    arrival: placement.arrivalMilliseconds
                )
            case .failed(.unavailable(let reason)): outcomes[index] = .failed(shard: shard.id, reason: reason)
            default: break
            }
        }
        for (slot, part) in round.submitted.enumerated() where !refused.contains(slot) {
            guard case .placed? = verdicts[slot] else { continue }
            userBytes += part.bytes
            routes.writers[slot].traffic.meters.stored(records: part.records, bytes: part.bytes)
        }
        // A duplicate may still be on its way to the disk: its answer waits for it.
        var ends: [Int: Position?] = [:]
        for (entry, slot, epoch) in round.duplicates {
            // The first finding's epoch is the oldest: when it still holds, the others' do.
            if ends[slot] == nil { ends[slot] = await routes.writers[slot].settled(since: epoch) }
            let shard = routes.writers[slot].shard
            if let end = ends[slot] ?? nil {
                outcomes[entry] = .duplicate(
                    shard: shard,
                    counter: end.rawValue << 16,
                    arrival: Int64(shard.created) * 1000
                )
            } else {
                outcomes[entry] = .failed(shard: shard.id, reason: "the record's first copy could not be stored")
            }
        }
    }
}
