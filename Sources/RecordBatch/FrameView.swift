import CChecksums

/// Why bytes are not a frame.
public enum FrameError: Error, Sendable, Equatable {
    /// The bytes end before the frame does.
    case short
    /// They don't start with a frame's magic.
    case magic
    /// Written by a newer program.
    case version(UInt8)
    /// Lengths contradict each other.
    case lengths
    /// The envelope, the sidecar or the batch's head was changed.
    case headerChecksum
    /// The records were changed.
    case batchChecksum
    /// The checksums hold, but the records can't be read.
    case records
}

/// What an envelope says, its checksum not looked at.
public struct FrameHeader: Sendable, Equatable {
    /// Bytes of the whole frame.
    public var frameLength: Int
    /// Offset of the first record.
    public var baseOffset: Int64
    /// The last record's offset less the first one's.
    public var lastOffsetDelta: UInt32
    /// Records in the frame.
    public var recordCount: Int
    /// Milliseconds since 1970.
    public var arrivalMilliseconds: Int64
    /// Bytes of the sidecar.
    public var sidecarLength: Int
    /// Bytes of the batch.
    public var batchLength: Int
    /// Bytes of keys and values.
    public var userBytes: Int
    /// Bytes before the frame in its file that were not synced when it was written.
    public var unsyncedBytes: Int

    /// Bytes that hold an envelope.
    public static let size = FrameLayout.envelope

    /// Reads an envelope; checks magic, version and lengths only.
    public init(peeking bytes: UnsafeRawBufferPointer) throws(FrameError) {
        guard bytes.count >= Self.size else { throw .short }
        guard bytes.load(UInt32.self, at: 0) == FrameLayout.magic else { throw .magic }
        let version = bytes[6]
        guard version == FrameLayout.version else { throw .version(version) }
        guard bytes.load(UInt16.self, at: 4) == FrameLayout.envelope else { throw .lengths }
        frameLength = Int(bytes.load(UInt32.self, at: 8))
        baseOffset = bytes.load(Int64.self, at: 16)
        lastOffsetDelta = bytes.load(UInt32.self, at: 24)
        recordCount = Int(bytes.load(UInt32.self, at: 28))
        arrivalMilliseconds = bytes.load(Int64.self, at: 32)
        sidecarLength = Int(bytes.load(UInt32.self, at: 48))
        batchLength = Int(bytes.load(UInt32.self, at: 52))
        userBytes = Int(bytes.load(UInt32.self, at: 56))
        unsyncedBytes = Int(bytes.load(UInt32.self, at: FrameLayout.unsyncedBytes))
        guard frameLength == FrameLayout.envelope + sidecarLength + batchLength, batchLength >= BatchLayout.header,
            frameLength <= FrameEncoder.byteLimit + FrameLayout.envelope
        else { throw .lengths }
    }
}

/// A frame in memory, its checksums verified. Valid as long as the bytes it was made of.
public struct FrameView {
    /// The envelope.
    public let header: FrameHeader
    private let bytes: UnsafeRawBufferPointer

    /// Verifies the frame at the start of `bytes`; more may follow it.
    public init(validating bytes: UnsafeRawBufferPointer) throws(FrameError) {
        header = try FrameHeader(peeking: bytes)
        guard header.frameLength <= bytes.count else { throw .short }
        self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<header.frameLength])
        let batch = FrameLayout.envelope + header.sidecarLength
        guard FrameEncoder.headerCRC(self.bytes, batch: batch) == bytes.load(UInt32.self, at: FrameLayout.headerCRC)
        else {
            throw .headerChecksum
        }
        let covered = header.batchLength - BatchLayout.uncovered
        let crc = millrace_crc32c(0, self.bytes.baseAddress! + batch + BatchLayout.uncovered, covered)
        guard crc == UInt32(bigEndian: self.bytes.load(UInt32.self, at: batch + 17)) else { throw .batchChecksum }
    }

    /// The length of the frame at the start of `bytes`, which may be cut short or damaged behind its head; nil when its
    /// head is not whole.
    public static func length(ofDamaged bytes: UnsafeRawBufferPointer) -> Int? {
        guard let header = try? FrameHeader(peeking: bytes) else { return nil }
        let batch = FrameLayout.envelope + header.sidecarLength
        guard batch + BatchLayout.uncovered <= bytes.count,
            FrameEncoder.headerCRC(bytes, batch: batch) == bytes.load(UInt32.self, at: FrameLayout.headerCRC)
        else { return nil }
        return header.frameLength
    }

    /// Offset of the first record.
    public var baseOffset: Int64 { header.baseOffset }
    /// The last record's offset less the first one's.
    public var lastOffsetDelta: UInt32 { header.lastOffsetDelta }
    /// Records in the frame.
    public var recordCount: Int { header.recordCount }
    /// Milliseconds since 1970.
    public var arrivalMilliseconds: Int64 { header.arrivalMilliseconds }
    /// The Kafka batch, byte for byte.
    public var batch: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[(FrameLayout.envelope + header.sidecarLength)...])
    }

    /// What producers numbered of the frame.
    public var producers: [ProducerRange] {
        var ranges: [ProducerRange] = []
        var at = FrameLayout.envelope
        let end = at + header.sidecarLength
        while at + FrameLayout.sectionHeader <= end {
            let (tag, length) = (bytes[at], Int(bytes.load(UInt32.self, at: at + 4)))
            at += FrameLayout.sectionHeader
            guard at + length <= end else { break }
            if tag == FrameLayout.producersTag {
                for entry in stride(
                    from: at,
                    to: at + length / FrameLayout.producer * FrameLayout.producer,
                    by: FrameLayout.producer
                ) {
                    let range = ProducerRange(
                        producer: bytes.load(UInt64.self, at: entry),
                        first: bytes.load(Int64.self, at: entry + 8),
                        last: bytes.load(Int64.self, at: entry + 16)
                    )
                    if range.first <= range.last { ranges.append(range) }
                }
            }
            at += length
        }
        return ranges
    }

    /// Hands out records in order from `index` until `body` returns false. Skipping a record costs a few nanoseconds.
    /// Throws `FrameError.records` on bytes that no encoder made, and whatever `body` throws.
    public func forEachRecord(
        from index: Int,
        _ body: (_ index: Int, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        let batch = batch
        var at = BatchLayout.header
        for record in 0..<header.recordCount {
            guard let length = Varint.read(batch, &at), length >= 0, length <= batch.count - at else {
                throw FrameError.records
            }
            let end = at + length
            if record >= index {
                at += 1
                guard Varint.read(batch, &at) != nil, Varint.read(batch, &at) != nil,
                    let key = Self.field(batch, &at, end), let value = Self.field(batch, &at, end)
                else { throw FrameError.records }
                if try !body(record, key, value) { return }
            }
            at = end
        }
    }

    /// A length and that many bytes; a null field is empty.
    @inline(__always)
    private static func field(_ batch: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int) -> UnsafeRawBufferPointer? {
        guard let length = Varint.read(batch, &at), at <= end, length >= -1, length <= end - at else { return nil }
        let field = UnsafeRawBufferPointer(rebasing: batch[at..<at + max(0, length)])
        at += max(0, length)
        return field
    }
}

extension UnsafeRawBufferPointer {
    /// A little-endian integer.
    @inline(__always)
    func load<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
