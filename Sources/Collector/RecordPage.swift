import AWSProtocol
import RecordBatch
import ShardLog
import StreamKeys
import StreamModel

/// Whose records are read: the shard, and what opens its encrypted frames.
struct RecordSource {
    var shard: Shard
    /// The stream's incarnation and region.
    var uid: String
    var region: String
    var keys: KeyRing
}

/// Records of a shard as the list that answers hold, written straight from the log's bytes: `Records` of GetRecords and of
/// SubscribeToShard's events.
struct RecordPage {
    /// Where a page stops, whichever comes first; a page has one record at least, however large.
    struct Limit {
        var records: Int
        /// Bytes of data and partition keys.
        var bytes: Int
    }

    /// The whole list in the answer's format, behind what stood there before.
    private(set) var bytes: [UInt8]
    /// Records in it.
    private(set) var count = 0
    /// Bytes of data and partition keys in it.
    private(set) var userBytes = 0
    /// Read on from this frame...
    private(set) var next: Position
    /// ... and from this record in it.
    private(set) var nextIndex = 0
    /// When the last frame looked at arrived, in milliseconds since 1970; nil in a page without frames.
    private(set) var lastArrival: Int64?
    /// Everything in the slab is in the page.
    private(set) var isComplete = true

    /// Writes the records of whole frames, beginning with the one numbered `index` of the frame at `position`. Frames before
    /// a damaged one, or one whose key is missing, are written: the next page begins at it, and throws. Throws `FrameError`,
    /// and `AWSError` for a key that can't be used.
    ///
    /// - Parameter bytes: what the list is written behind; it is moved, not copied.
    init(
        _ slab: FrameSlab,
        from position: Position,
        index: Int,
        of source: RecordSource,
        as format: WireFormat,
        limit: Limit,
        behind bytes: consuming [UInt8] = []
    ) throws {
        self.bytes = bytes
        next = slab.next
        switch format {
        case .json: try write(slab, from: (position, index), of: source, limit, JSONRecordWriter.self)
        case .cbor: try write(slab, from: (position, index), of: source, limit, CBORRecordWriter.self)
        }
    }

    /// Hands out the bytes, and keeps nothing of them.
    mutating func release() -> [UInt8] {
        var released: [UInt8] = []
        swap(&released, &bytes)
        return released
    }

    private mutating func write<Writer: RecordWriter>(
        _ slab: FrameSlab,
        from start: (position: Position, index: Int),
        of source: RecordSource,
        _ limit: Limit,
        _ writer: Writer.Type
    ) throws {
        bytes.reserveCapacity(bytes.count + Writer.room(forLogBytes: slab.bytes.count) + 256)
        Writer.beginList(&bytes)
        try slab.bytes.withUnsafeBytes { slabBytes in
            var end = Int64.min
            for frame in slab.frames {
                let before = (bytes.count, count, userBytes)
                do {
                    let view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: slabBytes[frame.range]))
                    // What was encrypted says where it belongs: it must not be shown in another order.
                    if view.header.isEncrypted, view.baseOffset < end { throw FrameError.authentication }
                    end = view.baseOffset + Int64(view.lastOffsetDelta) + 1
                    let first = frame.position == start.position ? start.index : 0
                    try append(view, at: frame.position, from: first, of: source, limit, writer)
                } catch {
                    if before.1 == 0 { throw error }
                    bytes.removeSubrange(before.0...)
                    (count, userBytes) = (before.1, before.2)
                    stop(at: frame.position, 0)
                }
                if !isComplete { break }
            }
        }
        Writer.endList(&bytes)
    }

    private mutating func append<Writer: RecordWriter>(
        _ frame: FrameView,
        at position: Position,
        from first: Int,
        of source: RecordSource,
        _ limit: Limit,
        _ writer: Writer.Type
    ) throws {
        let (arrival, shard) = (frame.arrivalMilliseconds, source.shard)
        try source.keys.withRecords(
            of: frame,
            stream: source.uid,
            shard: shard.id.index,
            region: source.region
        ) { records in
            try records.forEach(from: first) { index, key, value in
                let size = key.count + value.count
                if count == limit.records || (userBytes + size > limit.bytes && count > 0) {
                    stop(at: position, index)
                    return false
                }
                let number = SequenceNumber(
                    created: shard.created,
                    position: position.rawValue,
                    index: index,
                    time: UInt64(arrival / 1000),
                    shard: shard.id.index
                )
                let record = StoredRecord(
                    number: number,
                    arrivalMilliseconds: arrival,
                    key: key,
                    data: value,
                    isEncrypted: records.isEncrypted
                )
                Writer.append(record, isFirst: count == 0, to: &bytes)
                count += 1
                userBytes += size
                lastArrival = arrival
                return true
            }
        }
    }

    private mutating func stop(at position: Position, _ index: Int) {
        next = position
        nextIndex = index
        isComplete = false
    }
}
