import AWSProtocol
import RecordBatch
import ShardLog
import StreamModel

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
        case stored(SequenceNumber)
        /// Was there before; the number is the shard's newest, as the record's own is not kept.
        case duplicate(SequenceNumber)
        case failed(shard: ShardID, reason: String)
        /// The shard has had as much as its limits allow; the record was not looked at further.
        case throttled(shard: ShardID)
    }

    let stream: Stream
    private let log: any ShardLog
    let body: [UInt8]
    let put: PutBody
    let producers: ProducerHeader?
    let rule: KeyRouter.Rule
    /// What the shards' limits are; nil where there are none.
    let throttle: PutThrottle?
    private(set) var outcomes: [Outcome]
    private(set) var userBytes = 0
    /// Whether the records were encrypted.
    private(set) var isEncrypted = false

    init(
        stream: Stream,
        log: any ShardLog,
        body: [UInt8],
        put: PutBody,
        producers: ProducerHeader?,
        throttle: PutThrottle? = nil
    ) {
        self.throttle = throttle
        self.stream = stream
        self.log = log
        self.body = body
        self.put = put
        self.producers = producers
        rule = stream.record.settings.strategy == .auto ? .turns(from: stream.takeTurns(put.entries.count)) : .keys
        outcomes = Array(repeating: .waiting, count: put.entries.count)
    }

    /// Whether a record has no outcome yet.
    func isWaiting(_ entry: Int) -> Bool { if case .waiting = outcomes[entry] { true } else { false } }

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
            if rounds == 1, let throttle {
                let refused = round.refused(beyond: throttle)
                for (entry, shard) in refused { outcomes[entry] = .throttled(shard: shard) }
                if !refused.isEmpty { round = try encode(routes, sifting: sifting, key: key) }
            }
            let join = await submit(&round, routes)
            var isDone = true
            for part in round.parts.indices {
                let writer = routes.writers[round.parts[part].slot]
                switch join.verdict(part) {
                case .waiting, .placed, .failed(.unavailable): continue
                case .closed, .failed(.closed):
                    // A reshard holds `control` until the children take records.
                    await stream.control.withLock {}
                    isRerouted = true
                case .needsOpening: try await open(writer)
                case .overlaps: sifting.insert(writer.shard.id.index)
                }
                isDone = false
            }
            settle(round, join, routes)
            await settleDuplicates(round, routes)
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
        for index in outcomes.indices where isWaiting(index) { outcomes[index] = failure }
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

    // MARK: - One round

    private func encode(_ routes: Routes, sifting: Set<UInt32>, key: FrameKey?) throws(AWSError) -> PutRound {
        try put.withBytes(body) { bytes throws(AWSError) in
            var round = try PutRound(self, bytes, routes, sifting: sifting)
            try round.encode(bytes, key: key)
            return round
        }
    }

    private func submit(_ round: inout PutRound, _ routes: Routes) async -> PutJoin {
        let join = PutJoin(routes, writers: round.parts.map { Int32($0.slot) })
        await withCheckedContinuation { continuation in
            join.begin(continuation)
            let (runs, siftings) = (round.takeRuns(), round.siftings)
            if runs.count == 1 { return enqueue(runs[0], 0, join, siftings) }
            log.together {
                for part in runs.indices { enqueue(runs[part], part, join, siftings) }
            }
        }
        return join
    }

    private func enqueue(_ run: RecordRun, _ part: Int, _ join: PutJoin, _ siftings: [Int: ShardWriter.Sifting]) {
        let sifting = siftings.isEmpty ? nil : siftings[join.slot(part)]
        switch join.enqueue(run, part, sifting) {
        case .accepted: break
        case .overlaps: join.complete(part, .overlaps)
        case .needsOpening: join.complete(part, .needsOpening)
        case .closed: join.complete(part, .closed)
        }
    }

    /// Takes in what became of the parts. The records of those that the shard did not take go on waiting.
    private mutating func settle(_ round: PutRound, _ join: PutJoin, _ routes: Routes) {
        for index in outcomes.indices where round.partOfEntry[index] >= 0 {
            let part = Int(round.partOfEntry[index])
            switch join.verdict(part) {
            case .placed(let placement):
                let slot = round.parts[part].slot
                outcomes[index] = .stored(
                    SequenceNumber(
                        created: routes.places[slot].created,
                        position: placement.position.rawValue,
                        index: placement.firstIndex + Int(round.ordinals[index]),
                        time: UInt64(placement.arrivalMilliseconds / 1000),
                        shard: routes.places[slot].id.index
                    )
                )
            case .failed(.unavailable(let reason)):
                outcomes[index] = .failed(shard: routes.places[round.parts[part].slot].id, reason: reason)
            default: break
            }
        }
        for (index, part) in round.parts.enumerated() {
            guard case .placed = join.verdict(index) else { continue }
            userBytes += part.userBytes
            routes.traffic[part.slot].meters.stored(records: part.count, bytes: part.userBytes)
        }
    }

    /// A duplicate may still be on its way to the disk: its answer waits for it.
    private mutating func settleDuplicates(_ round: PutRound, _ routes: Routes) async {
        var ends: [Int: Position?] = [:]
        for (entry, slot, epoch) in round.duplicates {
            // The first finding's epoch is the oldest: when it still holds, the others' do.
            if ends[slot] == nil { ends[slot] = await routes.writers[slot].settled(since: epoch) }
            let shard = routes.writers[slot].shard
            if let end = ends[slot] ?? nil {
                outcomes[entry] = .duplicate(
                    SequenceNumber(
                        created: shard.created,
                        position: end.rawValue,
                        index: 0,
                        time: shard.created,
                        shard: shard.id.index
                    )
                )
            } else {
                outcomes[entry] = .failed(shard: shard.id, reason: "the record's first copy could not be stored")
            }
        }
    }
}
