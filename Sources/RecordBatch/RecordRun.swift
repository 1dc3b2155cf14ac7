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
    var storage: [UInt8]

    /// An empty run.
    ///
    /// - Parameters:
    ///   - producerCapacity: entries `producers` may have.
    ///   - key: encrypts the records when they are sealed.
    ///   - reserving: bytes of records to expect.
    public init(producerCapacity: Int = 0, key: FrameKey? = nil, reserving: Int) {
        self.producerCapacity = producerCapacity
        self.key = key
        headroom =
            FrameLayout.envelope + FrameLayout.sidecar(producers: producerCapacity) + BatchLayout.header
        storage = []
        storage.reserveCapacity(headroom + reserving)
        storage.append(contentsOf: repeatElement(0, count: headroom))
    }

    /// Bytes of encoded records.
    public var byteCount: Int { storage.count - headroom }

    /// Adds a record.
    public mutating func append(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        begin(key, valueCount: value.count)
        storage.append(contentsOf: value)
        storage.append(0)
        finish(key.count + value.count)
    }

    /// Adds a record whose value `fill` writes in place, all `valueCount` bytes of it. When `fill` throws the record was
    /// never there.
    public mutating func append<Failure: Error>(
        key: UnsafeRawBufferPointer,
        valueCount: Int,
        fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let before = storage.count
        begin(key, valueCount: valueCount)
        let start = storage.count
        storage.append(contentsOf: repeatElement(0, count: valueCount))
        do throws(Failure) {
            try storage.withUnsafeMutableBufferPointer { bytes throws(Failure) in
                try fill(
                    UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(bytes)[start..<start + valueCount]
                    )
                )
            }
        } catch {
            storage.removeSubrange(before...)
            throw error
        }
        storage.append(0)
        finish(key.count + valueCount)
    }

    // length | attributes | timestamp delta | offset delta | key length | key | value length | value | header count
    @inline(__always)
    private mutating func begin(_ key: UnsafeRawBufferPointer, valueCount: Int) {
        precondition(count < Self.countLimit)
        let length = 3 + Varint.size(count) + Varint.size(key.count) + key.count + Varint.size(valueCount) + valueCount
        Varint.append(length, to: &storage)
        storage.append(0)
        storage.append(0)
        Varint.append(count, to: &storage)
        Varint.append(key.count, to: &storage)
        storage.append(contentsOf: key)
        Varint.append(valueCount, to: &storage)
    }

    private mutating func finish(_ bytes: Int) {
        count += 1
        userBytes += bytes
    }

    /// Adds another run's records behind this one's.
    mutating func append(contentsOf other: RecordRun) {
        precondition(count + other.count <= Self.countLimit)
        other.storage.withUnsafeBytes { bytes in
            var at = other.headroom
            for _ in 0..<other.count {
                // Its own encoding: every field is there.
                let length = Varint.read(bytes, &at)!
                let end = at + length
                at += 2
                _ = Varint.read(bytes, &at)
                Varint.append(2 + Varint.size(count) + end - at, to: &storage)
                storage.append(0)
                storage.append(0)
                Varint.append(count, to: &storage)
                storage.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
                at = end
                count += 1
            }
        }
        userBytes += other.userBytes
        producers += other.producers
    }
}
