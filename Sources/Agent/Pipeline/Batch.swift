/// How much one request may carry.
struct BatchLimits: Sendable, Equatable {
    /// Records.
    var records: Int
    /// Bytes of data and partition keys.
    var bytes: Int
    /// Stretches of consecutive numbers: each costs about 30 bytes of a header, and servers limit headers.
    var stretches = 400
    /// What a partition key adds to each record.
    var keyBytes = 0
}

/// Records of one or many sources, in the order in which they were read and will be sent.
struct Batch: Sendable {
    /// Consecutive records of one chunk.
    struct Slice: Sendable {
        var chunk: SourceChunk
        var records: Range<Int>
    }

    private(set) var slices: [Slice] = []
    private(set) var count = 0
    /// Bytes of data.
    private(set) var dataBytes = 0
    private var countedBytes = 0
    private var stretches = 0
    private var last: (producer: UInt64, sequence: Int64)?

    var isEmpty: Bool { count == 0 }

    /// Whether not even a small record should be added.
    private(set) var isFull = false

    /// Takes as many of the chunk's records as fit, from `start` on, and returns how many. The first record of a batch
    /// fits whatever its size.
    mutating func append(_ chunk: SourceChunk, from start: Int, within limits: BatchLimits) -> Int {
        var next = start
        while next < chunk.count {
            let size = chunk.range(next).count + limits.keyBytes
            let sequence = chunk.sequence(next)
            let continues = last.map { $0.producer == chunk.producer && $0.sequence + 1 == sequence } ?? false
            let fits =
                count < limits.records && countedBytes + size <= limits.bytes
                && (continues || stretches < limits.stretches)
            guard fits || count == 0 else {
                isFull = true
                break
            }
            if !continues { stretches += 1 }
            last = (chunk.producer, sequence)
            count += 1
            countedBytes += size
            dataBytes += size - limits.keyBytes
            next += 1
        }
        if count >= limits.records || countedBytes >= limits.bytes { isFull = true }
        if next > start { slices.append(Slice(chunk: chunk, records: start..<next)) }
        return next - start
    }

    /// Calls `body` with each record's chunk and its index there; `selection` holds rising indices within the batch, nil
    /// means all.
    func forEach(_ selection: [Int]? = nil, _ body: (SourceChunk, Int) -> Void) {
        guard let selection else {
            for slice in slices {
                for record in slice.records { body(slice.chunk, record) }
            }
            return
        }
        var (slice, before) = (0, 0)
        for index in selection {
            while index >= before + slices[slice].records.count {
                before += slices[slice].records.count
                slice += 1
            }
            body(slices[slice].chunk, slices[slice].records.lowerBound + index - before)
        }
    }
}
