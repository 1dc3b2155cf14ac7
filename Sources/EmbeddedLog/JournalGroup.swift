import CChecksums
import DiskIO
import ShardLog

/// What a commit group did to many shards, in one piece.
///
///      0 u32 'MRJG'        8 u64 generation of the file     24 u64 length of the group, a multiple of 8
///      4 u32 CRC-32C      16 u64 sequence of the group      32 entries, one behind the other
///
/// The checksum covers all from byte 8 on; a group whose generation is not its file's was left there by a former use of the
/// file. An entry is padded to a multiple of 8:
///
///      0 u8 kind: 1 frames, 2 trim      8 u64 segment's base              24 u32 bytes of frames
///      1 u8 bytes of the stream's name 16 u64 position of the frames,     28 u32 0
///      2 u16 0                               or of the first frame kept   32 the stream's name, then the frames
///      4 u32 shard index
struct JournalGroup {
    static let magic: UInt32 = 0x474A_524D
    static let header = 32
    static let entryHeader = 32

    /// The group's bytes, its header not filled in yet.
    private(set) var bytes: [UInt8]

    init(reserving count: Int = 0) {
        bytes = [UInt8](repeating: 0, count: Self.header)
        bytes.reserveCapacity(count + Self.header)
    }

    var isEmpty: Bool { bytes.count == Self.header }

    /// Frames that stand one behind the other in one segment.
    mutating func append(_ frames: ArraySlice<RecentFrames.Entry>, base: UInt64, of shard: ShardRef) {
        guard let first = frames.first else { return }
        let count = frames.reduce(0) { $0 + $1.bytes.count }
        appendHeader(1, shard, base, first.position, count)
        for frame in frames { frame.bytes.withUnsafeBytes { bytes += $0 } }
        pad()
    }

    /// The oldest position that a shard keeps.
    mutating func append(first: UInt64, of shard: ShardRef) {
        appendHeader(2, shard, 0, first, 0)
        pad()
    }

    private mutating func appendHeader(
        _ kind: UInt8,
        _ shard: ShardRef,
        _ base: UInt64,
        _ position: UInt64,
        _ count: Int
    ) {
        let name = shard.stream.utf8
        bytes.append(kind)
        bytes.append(UInt8(name.count))
        bytes.append(little: UInt16(0))
        bytes.append(little: shard.index)
        bytes.append(little: base)
        bytes.append(little: position)
        bytes.append(little: UInt32(count))
        bytes.append(little: UInt32(0))
        bytes += name
    }

    private mutating func pad() { while bytes.count % 8 != 0 { bytes.append(0) } }

    /// Writes the whole group.
    mutating func write(
        to file: any DiskFile,
        at offset: UInt64,
        generation: UInt64,
        sequence: UInt64
    ) throws(DiskError) {
        bytes.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt32.self)
            bytes.storeBytes(of: generation.littleEndian, toByteOffset: 8, as: UInt64.self)
            bytes.storeBytes(of: sequence.littleEndian, toByteOffset: 16, as: UInt64.self)
            bytes.storeBytes(of: UInt64(bytes.count).littleEndian, toByteOffset: 24, as: UInt64.self)
            let crc = millrace_crc32c(0, bytes.baseAddress! + 8, bytes.count - 8)
            bytes.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
        }
        try file.write(bytes, at: offset)
    }

    // MARK: - Reading

    /// One entry of a group that was read.
    struct Entry: Equatable {
        var shard: ShardRef
        /// nil for a trim.
        var base: UInt64?
        var position: UInt64
        /// The frames' bytes in what was read.
        var frames: Range<Int>
    }

    /// The sequence, end and entries of the whole group that starts at an offset; nil when none does.
    static func read(_ bytes: [UInt8], at offset: Int, generation: UInt64) -> (
        sequence: UInt64, end: Int, entries: [Entry]
    )? {
        guard offset + header <= bytes.count, bytes.load(UInt32.self, offset) == magic,
            bytes.load(UInt64.self, offset + 8) == generation,
            let length = Int(exactly: bytes.load(UInt64.self, offset + 24)), length >= header,
            length <= bytes.count - offset
        else { return nil }
        let crc = bytes.withUnsafeBytes { millrace_crc32c(0, $0.baseAddress! + offset + 8, length - 8) }
        guard crc == bytes.load(UInt32.self, offset + 4) else { return nil }
        var entries: [Entry] = []
        var at = offset + header
        let end = offset + length
        while at < end {
            guard at + entryHeader <= end else { return nil }
            let (kind, nameLength) = (bytes[at], Int(bytes[at + 1]))
            let count = Int(bytes.load(UInt32.self, at + 24))
            let frames = at + entryHeader + nameLength
            guard kind == 1 || kind == 2, frames + count <= end else { return nil }
            let name = String(decoding: bytes[(at + entryHeader)..<frames], as: UTF8.self)
            entries.append(
                Entry(
                    shard: ShardRef(stream: name, index: bytes.load(UInt32.self, at + 4)),
                    base: kind == 1 ? bytes.load(UInt64.self, at + 8) : nil,
                    position: bytes.load(UInt64.self, at + 16),
                    frames: frames..<frames + count
                )
            )
            at = (frames + count + 7) / 8 * 8
        }
        return (bytes.load(UInt64.self, offset + 16), end, entries)
    }
}
