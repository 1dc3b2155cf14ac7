import AWSProtocol
import RecordBatch
import ShardLog
import StreamModel

/// One try to store what of a request is still waiting: where its records go, and what each shard is asked to take.
///
///     route: an entry ─> its shard's part, its size there      encode: the records, part by part in memory of just their size
struct PutRound {
    /// What one shard gets.
    struct Part {
        /// In the routes.
        let slot: Int
        /// Records.
        var count = 0
        /// Bytes of their data and keys.
        var userBytes = 0
        /// Bytes that they take encoded.
        var encodedBytes = 0
    }

    /// Runs of this many bytes and more have memory of their own.
    private static let sharedLimit = 16 * 1024

    private(set) var parts: [Part] = []
    /// The records of each part, from when they are encoded until the shards are asked to take them.
    private var runs: [RecordRun] = []
    /// Per entry: its part, or −1 when it takes no part in this round.
    private(set) var partOfEntry: [Int32]
    /// Per entry: its index within its part.
    private(set) var ordinals: [Int32]
    /// What was found of the shards whose records are looked at one by one, by slot.
    private(set) var siftings: [Int: ShardWriter.Sifting] = [:]
    /// Per entry, where shards have limits: bytes of data and key.
    private(set) var sizes: [Int32] = []
    /// Per entry, where keys are sampled.
    private(set) var keys: [HashKey] = []
    /// Entries that were stored before, with their slots, and when that was found.
    private(set) var duplicates: [(entry: Int, slot: Int, epoch: Int)] = []

    private let job: PutJob
    private let routes: Routes

    /// Routes the entries that wait. `sifting` has the indexes of shards that look at each record of a producer by itself.
    init(_ job: PutJob, _ bytes: PutBytes, _ routes: Routes, sifting: Set<UInt32>) throws(AWSError) {
        self.job = job
        self.routes = routes
        let entries = job.put.entries
        partOfEntry = Array(repeating: -1, count: entries.count)
        ordinals = Array(repeating: 0, count: entries.count)
        if let throttle = job.throttle {
            sizes = Array(repeating: 0, count: entries.count)
            if throttle.isSampled { keys = Array(repeating: HashKey(0), count: entries.count) }
        }
        parts.reserveCapacity(min(entries.count, routes.writers.count))
        var finder = PartFinder(entries: entries.count, slots: routes.writers.count)
        var sequences = SequenceCursor(job.producers)
        var router = KeyRouter(job.rule)
        for index in entries.indices {
            let sequence = sequences.next()
            guard job.isWaiting(index) else { continue }
            let hash = try router.hash(entries[index], index, sequence, bytes, routes)
            let slot = routes.index(of: hash)
            if !sifting.isEmpty, let sequence, sifting.contains(routes.writers[slot].shard.id.index),
                isDuplicate(index, slot, sequence, hash)
            {
                continue
            }
            let part = finder.part(of: slot, in: &parts)
            let keyCount = Int(entries[index].partitionKey.count)
            let dataCount = job.put.dataCount(entries[index], bytes)
            partOfEntry[index] = Int32(part)
            ordinals[index] = Int32(parts[part].count)
            parts[part].encodedBytes += RecordRun.size(
                index: parts[part].count,
                keyCount: keyCount,
                valueCount: dataCount
            )
            parts[part].count += 1
            parts[part].userBytes += keyCount + dataCount
            if !sizes.isEmpty { sizes[index] = Int32(keyCount + dataCount) }
            if !keys.isEmpty { keys[index] = hash }
        }
    }

    /// Looks for one record among those that its shard has already, and notes what it finds.
    private mutating func isDuplicate(
        _ index: Int,
        _ slot: Int,
        _ sequence: SequenceCursor.Sequence,
        _ hash: HashKey
    ) -> Bool {
        let found = routes.writers[slot].find(producer: sequence.producer, sequence: sequence.number, key: hash)
        var sifting = siftings[slot] ?? ShardWriter.Sifting(epoch: found.epoch)
        // The first look counts: when a later one differs, the run is sifted again.
        if !found.isDuplicate, sifting.own[sequence.producer] == nil { sifting.own[sequence.producer] = found.own }
        siftings[slot] = sifting
        if found.isDuplicate { duplicates.append((index, slot, found.epoch)) }
        return found.isDuplicate
    }

    /// Encodes the records, those of small parts in one piece of memory.
    mutating func encode(_ bytes: PutBytes, key: FrameKey?) throws(AWSError) {
        // A record begins one entry at most.
        let stretches = job.producers.map { $0.stretches.count } ?? 0
        // Small ones share memory. A large one has its own, and stays in it for as long as it is kept.
        func room(_ part: Part) -> Int {
            let room = RecordRun.room(for: part.encodedBytes, producerCapacity: min(stretches, part.count))
            return room < Self.sharedLimit ? room : 0
        }
        let memory = FrameMemory(count: parts.reduce(0) { $0 + room($1) })
        var start = 0
        runs.reserveCapacity(parts.count)
        for part in parts {
            let end = start + room(part)
            let capacity = min(stretches, part.count)
            runs.append(
                end > start
                    ? RecordRun(in: memory, start..<end, producerCapacity: capacity, key: key)
                    : RecordRun(producerCapacity: capacity, key: key, reserving: part.encodedBytes)
            )
            start = end
        }
        var sequences = SequenceCursor(job.producers)
        for index in partOfEntry.indices {
            let sequence = sequences.next()
            guard partOfEntry[index] >= 0 else { continue }
            let part = Int(partOfEntry[index])
            try job.put.append(job.put.entries[index], bytes, to: &runs[part])
            if let sequence { Self.note(sequence, in: &runs[part]) }
        }
    }

    /// The records of each part. Whoever has taken them keeps their memory.
    mutating func takeRuns() -> [RecordRun] {
        var taken: [RecordRun] = []
        swap(&taken, &runs)
        return taken
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
    /// request's later ones for that shard is let in, so that a retry can't turn their order round. Returns the entries that
    /// are refused, with their shards.
    func refused(beyond throttle: PutThrottle) -> [(entry: Int, shard: ShardID)] {
        var refused: [(entry: Int, shard: ShardID)] = []
        // Which records a shard has is only asked when keys are sampled, or the request does not fit.
        var members: PartMembers?
        for (index, part) in parts.enumerated() {
            func entry(_ ordinal: Int) -> Int {
                if members == nil { members = PartMembers(partOfEntry, parts: parts.count) }
                return members![index, ordinal]
            }
            let writer = routes.writers[part.slot]
            let count = writer.traffic.admit(
                records: part.count,
                bytes: part.userBytes,
                throttle,
                size: { Int(sizes[entry($0)]) },
                key: { keys[entry($0)] }
            )
            if count == part.count { continue }
            writer.traffic.meters.refusedWrites(part.count - count)
            for ordinal in count..<part.count { refused.append((entry(ordinal), writer.shard.id)) }
        }
        return refused
    }

    /// The entries of each part, in their order.
    private struct PartMembers {
        private var starts: [Int32]
        private var entries: [Int32]

        init(_ partOfEntry: [Int32], parts: Int) {
            starts = Array(repeating: 0, count: parts + 1)
            for part in partOfEntry where part >= 0 { starts[Int(part) + 1] += 1 }
            for part in 0..<parts { starts[part + 1] += starts[part] }
            entries = Array(repeating: 0, count: Int(starts[parts]))
            var next = starts
            for (entry, part) in partOfEntry.enumerated() where part >= 0 {
                entries[Int(next[Int(part)])] = Int32(entry)
                next[Int(part)] += 1
            }
        }

        subscript(part: Int, ordinal: Int) -> Int { Int(entries[Int(starts[part]) + ordinal]) }
    }

    /// Finds a shard's part, and makes it at first. A put of a few records over many shards costs what its records do.
    private struct PartFinder {
        /// By slot: the part, or −1. Empty when the parts are so few that looking through them is quicker.
        private var parts: [Int32]

        init(entries: Int, slots: Int) { parts = entries <= 8 ? [] : Array(repeating: -1, count: slots) }

        mutating func part(of slot: Int, in list: inout [Part]) -> Int {
            if parts.isEmpty {
                if let known = list.firstIndex(where: { $0.slot == slot }) { return known }
            } else if parts[slot] >= 0 {
                return Int(parts[slot])
            } else {
                parts[slot] = Int32(list.count)
            }
            list.append(Part(slot: slot))
            return list.count - 1
        }
    }
}
