/// Records for one shard under construction: Kafka records whose offset deltas count from 0, in one piece of memory with
/// room in front for everything a plain frame puts there. Sealing a single plain run copies nothing.
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
    /// The room for the frame's front, the records up to `end`, and behind that nothing yet: to fill memory twice would cost as
    /// much as to decode a record.
    private(set) var storage: [UInt8]
    private(set) var end: Int

    /// An empty run.
    ///
    /// - Parameters:
    ///   - producerCapacity: entries `producers` may have.
    ///   - key: encrypts the records when they are sealed.
    ///   - reserving: bytes of records to expect; see `size`. More are taken, and cost a copy.
    public init(producerCapacity: Int = 0, key: FrameKey? = nil, reserving: Int) {
        self.producerCapacity = producerCapacity
        self.key = key
        let headroom =
            FrameLayout.envelope + FrameLayout.sidecar(producers: producerCapacity) + BatchLayout.header
        self.headroom = headroom
        end = headroom
        storage = Self.room(headroom + reserving) { bytes in
            UnsafeMutableRawBufferPointer(rebasing: bytes[..<headroom]).initializeMemory(as: UInt8.self, repeating: 0)
        }
    }

    /// Bytes of encoded records.
    public var byteCount: Int { end - headroom }

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
        let (start, count) = (end, count)
        try storage.withUnsafeMutableBufferPointer { buffer throws(Failure) in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            var at = start
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
        }
        end = next
        self.count += 1
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
        // An index may take two bytes more than it did.
        _ = reserve(other.byteCount + 2 * 2 * other.count)
        var (at, count) = (end, count)
        other.storage.withUnsafeBytes { source in
            storage.withUnsafeMutableBytes { bytes in
                var from = other.headroom
                for _ in 0..<other.count {
                    // Its own encoding: every field is there.
                    let length = Varint.read(source, &from)!
                    let end = from + length
                    from += 2
                    _ = Varint.read(source, &from)
                    Varint.write(2 + Varint.size(count) + end - from, to: bytes, &at)
                    bytes.store(UInt16(0), at: at)
                    at += 2
                    Varint.write(count, to: bytes, &at)
                    let rest = UnsafeRawBufferPointer(rebasing: source[from..<end])
                    UnsafeMutableRawBufferPointer(rebasing: bytes[at..<at + rest.count]).copyMemory(from: rest)
                    at += rest.count
                    from = end
                    count += 1
                }
            }
        }
        (end, self.count) = (at, count)
        userBytes += other.userBytes
        producers += other.producers
    }

    /// Gives up the bytes, room and all, without a copy.
    mutating func release() -> [UInt8] {
        var bytes: [UInt8] = []
        swap(&bytes, &storage)
        bytes.removeLast(bytes.count - end)
        end = 0
        return bytes
    }

    // MARK: - Memory

    /// Makes sure that so many bytes fit behind `end`; returns where they will end.
    @inline(__always)
    private mutating func reserve(_ bytes: Int) -> Int {
        let next = end + bytes
        if next > storage.count { grow(to: max(next, 2 * storage.count)) }
        return next
    }

    @inline(never)
    private mutating func grow(to size: Int) {
        let end = end
        storage = storage.withUnsafeBytes { old in
            Self.room(size) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[..<end])) }
        }
    }

    private static func room(_ size: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            fill(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<size]))
            count = size
        }
    }
}
