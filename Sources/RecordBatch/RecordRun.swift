import ShardLog

/// Records for one shard under construction: Kafka records whose offset deltas count from 0, in one piece of memory with
/// room in front for everything a plain frame puts there. Sealing a single plain run copies nothing.
///
/// It has one owner at a time, who hands it on and forgets it: a copy stands in the same memory, and only one of the two may be
/// added to, or sealed.
public struct RecordRun: Sendable {
    /// Records a run, and a frame, may hold: an index fits 16 bits.
    public static let countLimit = 65_535

    /// How many records there are.
    public private(set) var count = 0
    /// Bytes of keys and values.
    public private(set) var userBytes = 0
    /// What producers numbered of it; at most as many entries as there is room for.
    public var producers: [ProducerRange] = [] {
        didSet { precondition(producers.count <= producerCapacity, "more producers than the run was made for") }
    }

    /// What the records are encrypted with when they are sealed; nil for a plain frame.
    public let key: FrameKey?
    let producerCapacity: Int
    let headroom: Int
    private(set) var memory: FrameMemory
    /// Where the headroom starts, where the records end so far, and where its part of the memory ends.
    private var start: Int
    private var end: Int
    private var limit: Int

    /// An empty run in memory of its own.
    ///
    /// - Parameters:
    ///   - producerCapacity: entries `producers` may have.
    ///   - key: encrypts the records when they are sealed.
    ///   - reserving: bytes of records to expect; see `size`. More are taken, and cost a copy.
    public init(producerCapacity: Int = 0, key: FrameKey? = nil, reserving: Int) {
        let room = Self.room(for: reserving, producerCapacity: producerCapacity)
        self.init(in: FrameMemory(count: room), 0..<room, producerCapacity: producerCapacity, key: key)
    }

    /// An empty run in a part of some memory that nobody else writes to.
    ///
    /// - Parameters:
    ///   - part: as large as `room` says.
    ///   - producerCapacity: entries `producers` may have.
    ///   - key: encrypts the records when they are sealed.
    public init(in memory: FrameMemory, _ part: Range<Int>, producerCapacity: Int = 0, key: FrameKey? = nil) {
        self.producerCapacity = producerCapacity
        self.key = key
        headroom = Self.headroom(producerCapacity: producerCapacity)
        precondition(part.count >= headroom && part.upperBound <= memory.bytes.count)
        self.memory = memory
        start = part.lowerBound
        end = part.lowerBound + headroom
        limit = part.upperBound
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<end]).initializeMemory(
            as: UInt8.self,
            repeating: 0
        )
    }

    /// Bytes of memory that a run takes for so many bytes of records.
    public static func room(for records: Int, producerCapacity: Int = 0) -> Int {
        (headroom(producerCapacity: producerCapacity) + records + 7) & ~7
    }

    private static func headroom(producerCapacity: Int) -> Int {
        FrameLayout.envelope + FrameLayout.sidecar(producers: producerCapacity) + BatchLayout.header
    }

    /// Bytes of encoded records.
    public var byteCount: Int { end - start - headroom }

    /// The encoded records.
    var records: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory.bytes[start + headroom..<end]) }

    /// The headroom and the records.
    var frame: (bytes: UnsafeMutableRawBufferPointer, range: Range<Int>) {
        (UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<end]), start..<end)
    }

    /// Bytes that a record takes in a run.
    ///
    /// - Parameter index: how many records stand before it.
    public static func size(index: Int, keyCount: Int, valueCount: Int) -> Int {
        let length = length(index, keyCount, valueCount)
        return Varint.size(length) + length
    }

    /// Adds a record.
    public mutating func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        append(key: key, valueCount: value.count) { $0.copyMemory(from: value) }
    }

    /// Adds a record whose value `fill` writes in place, all `valueCount` bytes of it. When `fill` throws the record was
    /// never there.
    ///
    ///     length | attributes | timestamp delta | offset delta | key length | key | value length | value | header count
    public mutating func append<Failure: Error>(
        key: UnsafeRawBufferPointer,
        valueCount: Int,
        fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(count < Self.countLimit)
        let length = Self.length(count, key.count, valueCount)
        let next = reserve(Varint.size(length) + length)
        let bytes = memory.bytes
        var at = end
        Varint.write(length, to: bytes, &at)
        bytes.store(UInt16(0), at: at)
        at += 2
        Varint.write(count, to: bytes, &at)
        Varint.write(key.count, to: bytes, &at)
        UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + key.count]).copyMemory(from: key)
        at += key.count
        Varint.write(valueCount, to: bytes, &at)
        try fill(UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + valueCount]))
        bytes[at + valueCount] = 0
        end = next
        count += 1
        userBytes += key.count + valueCount
    }

    /// Of a record, without the field that tells it.
    @inline(__always)
    private static func length(_ index: Int, _ keyCount: Int, _ valueCount: Int) -> Int {
        3 + Varint.size(index) + Varint.size(keyCount) + keyCount + Varint.size(valueCount) + valueCount
    }

    /// Adds another run's records behind this one's.
    mutating func append(contentsOf other: RecordRun) {
        precondition(count + other.count <= Self.countLimit)
        _ = reserve(other.byteCount + Self.renumbering * other.count)
        let (bytes, source) = (memory.bytes, other.records)
        var from = 0
        for _ in 0..<other.count {
            // Its own encoding: every field is there.
            let length = Varint.read(source, &from)!
            let next = from + length
            from += 2
            _ = Varint.read(source, &from)
            Varint.write(2 + Varint.size(count) + next - from, to: bytes, &end)
            bytes.store(UInt16(0), at: end)
            end += 2
            Varint.write(count, to: bytes, &end)
            let rest = UnsafeRawBufferPointer(rebasing: source[from..<next])
            UnsafeMutableRawBufferPointer(rebasing: bytes[end..<end + rest.count]).copyMemory(from: rest)
            end += rest.count
            from = next
            count += 1
        }
        userBytes += other.userBytes
        producers += other.producers
    }

    /// Bytes that a record may take more behind others: two for its index, and one for its length.
    static let renumbering = 3

    /// Makes sure that so many bytes fit behind `end`; returns where they will end.
    @inline(__always)
    private mutating func reserve(_ bytes: Int) -> Int {
        if end + bytes > limit { grow(to: max(end - start + bytes, 2 * (limit - start))) }
        return end + bytes
    }

    @inline(never)
    private mutating func grow(to size: Int) {
        let larger = FrameMemory(count: size)
        larger.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory.bytes[start..<end]))
        (memory, start, end, limit) = (larger, 0, end - start, size)
    }
}
