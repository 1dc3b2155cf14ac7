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
    /// The version and the flags contradict each other.
    case flags
    /// The records are encrypted: they must be opened first.
    case encrypted
    /// They are encrypted in a way that this program does not know.
    case encryption(kind: UInt16)
    /// The records are not what was encrypted for this place with this key.
    case authentication
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
    /// Whether the records are encrypted.
    public var isEncrypted: Bool

    /// Bytes that hold an envelope.
    public static let size = FrameLayout.envelope

    /// Reads an envelope; checks magic, version and lengths only.
    public init(peeking bytes: UnsafeRawBufferPointer) throws(FrameError) {
        guard bytes.count >= Self.size else { throw .short }
        guard bytes.load(UInt32.self, at: 0) == FrameLayout.magic else { throw .magic }
        let version = bytes[6]
        isEncrypted = version == FrameLayout.encryptedVersion
        guard version == FrameLayout.version || isEncrypted else { throw .version(version) }
        guard isEncrypted == (bytes.load(UInt16.self, at: 44) & FrameLayout.encryptedFlag != 0) else { throw .flags }
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
        guard crc == UInt32(bigEndian: self.bytes.load(UInt32.self, at: batch + BatchLayout.crc)) else {
            throw .batchChecksum
        }
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

    /// Whether the head of a frame of any version is whole: all versions have the checksum and what it covers in the same
    /// places. A head that a crash tore may seem to be of another version.
    public static func hasWholeHead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= FrameLayout.envelope, bytes.load(UInt32.self, at: 0) == FrameLayout.magic else {
            return false
        }
        let batch = FrameLayout.envelope + Int(bytes.load(UInt32.self, at: 48))
        return batch + BatchLayout.uncovered <= bytes.count
            && FrameEncoder.headerCRC(bytes, batch: batch) == bytes.load(UInt32.self, at: FrameLayout.headerCRC)
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
        guard let section = section(FrameLayout.producersTag) else { return [] }
        return (0..<section.count / FrameLayout.producer).compactMap { index in
            let at = section.lowerBound + index * FrameLayout.producer
            let range = ProducerRange(
                producer: bytes.load(UInt64.self, at: at),
                first: bytes.load(Int64.self, at: at + 8),
                last: bytes.load(Int64.self, at: at + 16)
            )
            return range.first <= range.last ? range : nil
        }
    }

    /// The bytes of the first section of a kind in the sidecar.
    private func section(_ tag: UInt8) -> Range<Int>? {
        var at = FrameLayout.envelope
        let end = at + header.sidecarLength
        while at + FrameLayout.sectionHeader <= end {
            let (found, length) = (bytes[at], Int(bytes.load(UInt32.self, at: at + 4)))
            at += FrameLayout.sectionHeader
            guard length <= end - at else { return nil }
            if found == tag { return at..<at + length }
            at += length
        }
        return nil
    }

    // MARK: - Records

    /// How the records are encrypted; nil for a plain frame. Throws `FrameError.encryption` when that is not understood.
    public func encryption() throws(FrameError) -> FrameEncryption? {
        guard header.isEncrypted else { return nil }
        let kind = bytes.load(UInt16.self, at: 46)
        guard kind == FrameCipher.kind, let section = section(FrameLayout.encryptionTag),
            section.count >= FrameCipher.section(records: recordBytes.count),
            bytes[section.lowerBound - FrameLayout.sectionHeader + 1] == 1
        else { throw .encryption(kind: kind) }
        return FrameEncryption(
            bytes,
            section,
            name: section.lowerBound + FrameCipher.section(records: recordBytes.count)
        )
    }

    /// The records of a plain frame. Throws `FrameError.encrypted` for one that must be opened first.
    public func records() throws(FrameError) -> FrameRecords {
        if header.isEncrypted { throw .encrypted }
        return FrameRecords(recordBytes, count: header.recordCount, isEncrypted: false)
    }

    /// Opens an encrypted frame and hands its records to `body`; they are gone when it returns.
    ///
    /// - Parameters:
    ///   - key: of the frame's root key, its salt and its stream.
    ///   - shard: the index of the shard that the frame was read from.
    ///
    /// Throws `FrameError.authentication` when it is another shard's or stream's frame, was changed since it was written, or
    /// the key is a wrong one, and whatever `body` throws.
    public func withRecords<Result>(
        openedWith key: DataKey,
        shard: UInt32,
        _ body: (FrameRecords) throws -> Result
    ) throws -> Result {
        guard let encryption = try encryption() else { return try body(try records()) }
        return try FrameCipher.withOpened(
            bytes,
            batch: FrameLayout.envelope + header.sidecarLength,
            section: encryption.section,
            key: key,
            shard: shard
        ) { records in
            try body(FrameRecords(records, count: header.recordCount, isEncrypted: true))
        }
    }

    private var recordBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: batch[BatchLayout.header...]) }

    /// Hands out a plain frame's records; see `FrameRecords.forEach`. Throws `FrameError.encrypted` for another one.
    public func forEachRecord(
        from index: Int,
        _ body: (_ index: Int, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        try records().forEach(from: index, body)
    }
}

/// What an encrypted frame says of its key, without one.
public struct FrameEncryption: Sendable, Equatable {
    /// Of the root key: what finds it.
    public var fingerprint: UInt128
    /// Of the data key.
    public var salt: UInt128
    /// The root key's name when the frame was written, for messages.
    public var name: String
    /// Where the section stands in the frame.
    let section: Int

    init(_ frame: UnsafeRawBufferPointer, _ section: Range<Int>, name: Int) {
        fingerprint = frame.load(UInt128.self, at: section.lowerBound)
        salt = frame.load(UInt128.self, at: section.lowerBound + 16)
        self.name = String(decoding: frame[name..<section.upperBound], as: UTF8.self)
        self.section = section.lowerBound
    }
}

extension UnsafeRawBufferPointer {
    /// A little-endian integer.
    @inline(__always)
    func load<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
        T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
