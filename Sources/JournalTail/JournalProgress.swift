/// What the reader's thread and the owner share: chunks on their way, and how far they are acknowledged. A value; its owner
/// guards it.
struct JournalProgress {
    struct Numbering {
        var source: UInt64
        var acknowledged: Int64
        var cursor: String
        var order: Int64
    }

    /// A chunk that was read, until all before it and itself are acknowledged.
    private struct Pending {
        var source: UInt64
        var last: Int64
        var cursor: String
        var entries: Int64
        var bytes: Int64
    }

    private(set) var numberings: [String: Numbering] = [:]
    /// Which id a source stands for; sources of numberings that were started over are not in it.
    private var ids: [UInt64: String] = [:]
    private var pending: [Pending] = []
    private var pendingStart = 0
    private var queue: [JournalChunk] = []
    private var queueStart = 0
    private(set) var queuedBytes = 0
    private var order: Int64 = 0
    private(set) var revision: UInt64 = 0
    private(set) var lag: (entries: Int64, bytes: Int64) = (0, 0)
    var notices: [JournalNotice] = []
    /// Whether the reader waits for room.
    var isFull = false
    var isStopped = false

    init(_ checkpoints: [JournalCheckpoint]) {
        for checkpoint in checkpoints.sorted(by: { $0.order < $1.order }) {
            numberings[checkpoint.seqnumID] = Numbering(
                source: checkpoint.source,
                acknowledged: checkpoint.sequence,
                cursor: checkpoint.cursor,
                order: checkpoint.order
            )
            ids[checkpoint.source] = checkpoint.seqnumID
            order = max(order, checkpoint.order)
        }
    }

    /// Where to go on: behind the last entry that was acknowledged with all before it.
    var resumeCursor: String? {
        numberings.values.filter { !$0.cursor.isEmpty }.max { $0.order < $1.order }?.cursor
    }

    var checkpoints: [JournalCheckpoint] {
        numberings.map { id, numbering in
            JournalCheckpoint(
                source: numbering.source,
                seqnumID: id,
                sequence: numbering.acknowledged,
                cursor: numbering.cursor,
                order: numbering.order
            )
        }
    }

    /// A numbering is met for the first time or starts over. `behind`: the entry that reading starts behind, if any.
    mutating func begin(_ id: String, source: UInt64, behind: (sequence: Int64, cursor: String)?) {
        if let former = numberings[id] { ids[former.source] = nil }
        if behind != nil { order += 1 }
        numberings[id] = Numbering(
            source: source,
            acknowledged: behind?.sequence ?? 0,
            cursor: behind?.cursor ?? "",
            order: behind == nil ? 0 : order
        )
        ids[source] = id
        revision += 1
    }

    mutating func append(_ chunk: JournalChunk) {
        let bytes = Int64(chunk.bytes.count)
        let entries = Int64(chunk.sequences.count)
        queue.append(chunk)
        queuedBytes += chunk.bytes.count
        pending.append(
            Pending(
                source: chunk.source,
                last: chunk.sequences.last ?? 0,
                cursor: chunk.lastCursor,
                entries: entries,
                bytes: bytes
            )
        )
        lag.entries += entries
        lag.bytes += bytes
    }

    /// The first chunk, or the start of it when it is larger than `maxBytes`.
    mutating func take(maxBytes: Int) -> JournalChunk? {
        guard queueStart < queue.count else { return nil }
        if queue[queueStart].bytes.count > maxBytes, let (head, rest) = queue[queueStart].parted(at: maxBytes) {
            queue[queueStart] = rest
            queuedBytes -= head.bytes.count
            return head
        }
        let chunk = queue[queueStart]
        queue[queueStart].bytes = []
        queueStart += 1
        if queueStart == queue.count || queueStart > 256 {
            queue.removeFirst(queueStart)
            queueStart = 0
        }
        queuedBytes -= chunk.bytes.count
        return chunk
    }

    mutating func acknowledge(_ source: UInt64, sequence: Int64) {
        if let id = ids[source], let numbering = numberings[id], sequence > numbering.acknowledged {
            numberings[id]?.acknowledged = sequence
        }
        while pendingStart < pending.count, isAcknowledged(pending[pendingStart]) {
            let done = pending[pendingStart]
            pendingStart += 1
            lag.entries -= done.entries
            lag.bytes -= done.bytes
            guard let id = ids[done.source] else { continue }
            order += 1
            numberings[id]?.cursor = done.cursor
            numberings[id]?.order = order
        }
        if pendingStart == pending.count || pendingStart > 256 {
            pending.removeFirst(pendingStart)
            pendingStart = 0
        }
    }

    /// What was read of a numbering that started over since is of no use any more.
    private func isAcknowledged(_ pending: Pending) -> Bool {
        guard let id = ids[pending.source], let numbering = numberings[id] else { return true }
        return numbering.acknowledged >= pending.last
    }
}

extension JournalChunk {
    /// The first entries, about `maxBytes` of them and at least one, and the rest; nil when there would be no rest. The
    /// first part's cursor is empty: only the last entry's is known.
    fileprivate func parted(at maxBytes: Int) -> (head: JournalChunk, rest: JournalChunk)? {
        let count = max(1, recordEnds.partitionPoint { $0 > maxBytes })
        guard count < recordEnds.count else { return nil }
        let end = recordEnds[count - 1]
        var head = self
        head.bytes = Array(bytes[..<end])
        head.recordEnds = Array(recordEnds[..<count])
        head.sequences = Array(sequences[..<count])
        head.realtimeMicroseconds = Array(realtimeMicroseconds[..<count])
        head.lastCursor = ""
        head.shortenedEntries = 0
        var rest = self
        rest.bytes = Array(bytes[end...])
        rest.recordEnds = recordEnds[count...].map { $0 - end }
        rest.sequences = Array(sequences[count...])
        rest.realtimeMicroseconds = Array(realtimeMicroseconds[count...])
        return (head, rest)
    }
}

extension [Int] {
    /// The index of the first element that the condition holds for; the elements are sorted by it.
    fileprivate func partitionPoint(_ holds: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
