// A shard's log is a sequence of frames. A frame is an envelope of 64 bytes (little-endian), an optional sidecar, and one
// Kafka v2 record batch (big-endian) byte for byte.
//
//      0 u32 'KSF1'          16 i64 base offset          40 u32 epoch
//      4 u16 header length   24 u32 last offset delta    44 u16 flags: 1 sidecar, 2 encrypted
//      6 u8  version         28 u32 record count         46 u16 encryption kind
//      7 u8  source          32 i64 arrival, ms          48 u32 sidecar length
//      8 u32 frame length                                52 u32 batch length
//     12 u32 header CRC-32C                              56 u32 bytes of keys and values
//                                                        60 u32 unsynced bytes before it
//
// Unsynced bytes are those between the frame and the file's last sync, the start of its commit group: whoever finds a hole
// before a whole frame can tell a group that a power cut tore from damage to what was acknowledged. 0 from an engine that
// does not say.
//
// The header CRC covers the envelope but itself, the sidecar, and the batch's first 21 bytes: what the owner of a shard
// sets. The batch's own CRC-32C covers the rest of it, and is the producer's work.
//
// Sidecar: sections of u8 tag | u8 version = 1 | u16 0 | u32 length | bytes. Tag 1 lists producers, n times
// u64 producer | i64 first sequence | i64 last sequence; an entry whose first is above its last says nothing. Tag 2 says how
// the records were encrypted.
//
// A plain frame has version 1 and kind 0. An encrypted one has version 2, so that a program that knows nothing of it refuses
// it, flag 2, kind 1, and a section of tag 2 behind the others; see `FrameCipher` for that and for what is encrypted. Both
// checksums are of the stored bytes: they are verified without a key.

/// Offsets and sizes in a frame.
enum FrameLayout {
    static let magic: UInt32 = 0x3146_534B
    static let envelope = 64
    static let version: UInt8 = 1
    static let encryptedVersion: UInt8 = 2
    static let headerCRC = 12
    static let unsyncedBytes = 60
    static let sectionHeader = 8
    static let producer = 24
    static let producersTag: UInt8 = 1
    static let encryptionTag: UInt8 = 2
    static let sidecarFlag: UInt16 = 1
    static let encryptedFlag: UInt16 = 2

    /// Bytes of a plain frame's sidecar with room for so many producers.
    static func sidecar(producers: Int) -> Int { producers == 0 ? 0 : sectionHeader + producers * producer }

    /// Bytes of what an encrypted one has in its sidecar beside them.
    static func encryption(records: Int, key: FrameKey?) -> Int {
        key.map { sectionHeader + $0.sectionLength(records: records) } ?? 0
    }
}

/// Offsets and sizes in a Kafka record batch, magic 2.
enum BatchLayout {
    static let header = 61
    static let crc = 17
    /// Bytes outside the batch's CRC, its own field included.
    static let uncovered = 21
    /// `timestampType` is LogAppendTime: every record's time is the batch's `maxTimestamp`.
    static let logAppendTime: UInt16 = 0x08
}

/// Who wrote a frame.
public enum FrameSource: UInt8, Sendable {
    /// A put through the Kinesis or Firehose API.
    case kinesis = 1
    /// A Kafka producer.
    case kafka = 2
    /// A producer that numbers its records.
    case agent = 3
    /// The collector itself.
    case control = 4
}

/// The sequences one producer has in a frame.
public struct ProducerRange: Sendable, Equatable {
    /// The producer's identity.
    public var producer: UInt64
    /// The sequence of its first record in the frame.
    public var first: Int64
    /// Of its last one. Below `first`: none.
    public var last: Int64

    /// A stretch of sequences.
    public init(producer: UInt64, first: Int64, last: Int64) {
        self.producer = producer
        self.first = first
        self.last = last
    }
}

/// Zigzag variable-length integers, as Kafka writes them.
enum Varint {
    @inline(__always)
    static func size(_ value: Int) -> Int {
        let zigzag = UInt64(bitPattern: Int64(value << 1 ^ value >> 63)) | 1
        return (70 - zigzag.leadingZeroBitCount) / 7
    }

    /// Writes one and moves on.
    @inline(__always)
    static func write(_ value: Int, to bytes: UnsafeMutableRawBufferPointer, _ at: inout Int) {
        var zigzag = UInt64(bitPattern: Int64(value << 1 ^ value >> 63))
        while zigzag >= 0x80 {
            bytes[at] = UInt8(truncatingIfNeeded: zigzag) | 0x80
            at += 1
            zigzag >>= 7
        }
        bytes[at] = UInt8(zigzag)
        at += 1
    }

    /// Reads one and moves on; nil when it is cut short or longer than ten bytes.
    @inline(__always)
    static func read(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> Int? {
        var zigzag: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count, shift < 64 {
            let byte = bytes[at]
            at += 1
            zigzag |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int(Int64(bitPattern: zigzag >> 1) ^ -Int64(zigzag & 1)) }
            shift += 7
        }
        return nil
    }
}
