import CChecksums
import DiskIO
import ShardLog

/// What is known to be synced of one shard: recovery reads only what stands behind it.
struct TailMark: Sendable, Equatable {
    /// The segment that was active.
    var base: UInt64
    /// Its synced bytes, the header included.
    var size: UInt64
    /// Positions below are trimmed.
    var first: UInt64
    /// The last frame, where there is one at or behind `first`.
    var last: ShardFolder.LastFrame?

    /// What is known when both are: the farther one, and what either of them has trimmed.
    func merged(with other: TailMark?) -> TailMark {
        guard let other else { return self }
        var mark = (base, size) < (other.base, other.size) ? other : self
        mark.first = max(first, other.first)
        return mark
    }

    /// Whether all before a position of a segment is synced. A segment is, before there is a next one.
    func covers(_ end: UInt64, in base: UInt64) -> Bool { self.base > base || self.base == base && base + size >= end }
}

/// The marks of all shards, written now and then and at the end. Only `first` is nowhere else to be found, and the journal has
/// it until it stands here; all else saves reading.
///
///     DIRECTORY/tails:  0 u32 'MRTL' | 4 u8 version = 1 | 5 u8 1: all is synced | 2 zeros | 8 u32 marks | 12 u32 CRC-32C of the rest
///                      16 marks of u64 base | u64 size | u64 first | u64 last position | i64 last arrival
///                         | u32 shard index | u8 has a last frame | u8 length | 2 zeros | the stream's name
enum TailMarks {
    static let name = "tails"
    private static let magic: UInt32 = 0x4C54_524D
    private static let header = 16
    private static let fixed = 48

    static func encode(_ marks: [ShardRef: TailMark], isClean: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: magic)
        bytes += [1, isClean ? 1 : 0, 0, 0]
        bytes.append(little: UInt32(marks.count))
        bytes.append(little: UInt32(0))
        for (ref, mark) in marks {
            for number in [mark.base, mark.size, mark.first, mark.last?.position ?? 0] { bytes.append(little: number) }
            bytes.append(little: mark.last?.arrival ?? 0)
            bytes.append(little: ref.index)
            let name = Array(ref.stream.utf8)
            bytes += [mark.last == nil ? 0 : 1, UInt8(name.count), 0, 0]
            bytes += name
        }
        let crc = checksum(bytes)
        withUnsafeBytes(of: crc.littleEndian) { bytes.replaceSubrange(12..<16, with: $0) }
        return bytes
    }

    /// nil when the bytes are not whole. A log is clean when its process has ended with everything synced.
    static func decode(_ bytes: [UInt8]) -> (marks: [ShardRef: TailMark], isClean: Bool)? {
        guard bytes.count >= header, bytes.load(UInt32.self, 0) == magic, bytes[4] == 1,
            bytes.load(UInt32.self, 12) == checksum(bytes)
        else { return nil }
        var marks: [ShardRef: TailMark] = [:]
        var at = header
        for _ in 0..<bytes.load(UInt32.self, 8) {
            guard at + fixed <= bytes.count, at + fixed + Int(bytes[at + 45]) <= bytes.count else { return nil }
            let name = bytes[(at + fixed)..<(at + fixed + Int(bytes[at + 45]))]
            let ref = ShardRef(stream: String(decoding: name, as: UTF8.self), index: bytes.load(UInt32.self, at + 40))
            let last = ShardFolder.LastFrame(
                position: bytes.load(UInt64.self, at + 24),
                arrival: bytes.load(Int64.self, at + 32)
            )
            marks[ref] = TailMark(
                base: bytes.load(UInt64.self, at),
                size: bytes.load(UInt64.self, at + 8),
                first: bytes.load(UInt64.self, at + 16),
                last: bytes[at + 44] == 1 ? last : nil
            )
            at += fixed + name.count
        }
        return at == bytes.count ? (marks, bytes[5] == 1) : nil
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { bytes in
            let first = millrace_crc32c(0, bytes.baseAddress, 12)
            return millrace_crc32c(first, bytes.baseAddress! + header, bytes.count - header)
        }
    }
}
