import CChecksums
import DiskIO
import ShardLog

/// What a commit group did to many shards, in one piece.
///
///      0 u32 'MRJG'        8 u64 generation of the file     24 u64 length of the group, whole blocks
///      4 u32 CRC-32C      16 u64 sequence of the group      32 entries, one behind the other, then zeros
///
/// The checksum covers all from byte 8 on; a group whose generation is not its file's was left there by a former use of the
/// file. In a file of version 1 a group ends with its last entry. An entry is padded to a multiple of 8:
///
///      0 u8 kind: 1 frames, 2 trim      8 u64 segment's base              24 u32 bytes of frames
///      1 u8 bytes of the stream's name 16 u64 position of the frames,     28 u32 0
///      2 u16 0                               or of the first frame kept   32 the stream's name, then the frames
///      4 u32 shard index
struct JournalGroup {
    static let magic: UInt32 = 0x474A_524D
    static let header = 32
    static let entryHeader = 32

    /// Where the group is made, its header not filled in yet.
    private var memory: FrameMemory
    /// Bytes of it.
    private(set) var count = header

    /// Whether the frames stay in its memory. Of a small group that is mostly nothing.
    private let keepsFrames: Bool

    init(reserving count: Int = 0) {
        memory = Self.blocks(Self.header + count)
        keepsFrames = Self.header + count >= Journal.block / 2
    }

    var isEmpty: Bool { count == Self.header }

    /// Bytes that it takes in the file: it is written in whole blocks, from memory that begins with one.
    var length: Int { Self.wholeBlocks(count) }

    private static func wholeBlocks(_ count: Int) -> Int { (count + Journal.block - 1) / Journal.block * Journal.block }

    private static func blocks(_ count: Int) -> FrameMemory {
        FrameMemory(count: wholeBlocks(count), alignment: Journal.block)
    }

    /// Frames that stand one behind the other in one segment. They get their bytes in the group's memory, or in memory of their
    /// own: that is kept for as long as the journal alone has them, and then nothing else is kept with it.
    mutating func append(
        _ frames: inout [RecentFrames.Entry],
        _ range: Range<Int>,
        base: UInt64,
        of shard: ShardRef
    ) {
        var bytes = 0
        for index in range { bytes += frames[index].bytes.count }
        var at = beginEntry(1, shard, base, frames[range.lowerBound].position, bytes)
        for index in range {
            let frame = frames[index].bytes.unsafeBytes
            UnsafeMutableRawBufferPointer(rebasing: memory.bytes[at..<at + frame.count]).copyMemory(from: frame)
            let end = at + frame.count
            frames[index].bytes = keepsFrames ? FrameBytes(memory, at..<end) : frames[index].bytes.compact
            at = end
        }
    }

    /// The oldest position that a shard keeps.
    mutating func append(first: UInt64, of shard: ShardRef) { _ = beginEntry(2, shard, 0, first, 0) }

    /// Makes an entry, whole but for its frames, which take so many bytes. Returns where they go.
    private mutating func beginEntry(
        _ kind: UInt8,
        _ shard: ShardRef,
        _ base: UInt64,
        _ position: UInt64,
        _ frameBytes: Int
    ) -> Int {
        var name = shard.stream
        return name.withUTF8 { name in
            let start = count
            let frames = start + Self.entryHeader + name.count
            count = (frames + frameBytes + 7) & ~7
            if count > memory.bytes.count { grow(keeping: start) }
            let bytes = memory.bytes
            let first = UInt64(kind) | UInt64(name.count) << 8 | UInt64(shard.index) << 32
            bytes.storeBytes(of: first.littleEndian, toByteOffset: start, as: UInt64.self)
            bytes.storeBytes(of: base.littleEndian, toByteOffset: start + 8, as: UInt64.self)
            bytes.storeBytes(of: position.littleEndian, toByteOffset: start + 16, as: UInt64.self)
            bytes.storeBytes(of: UInt64(frameBytes).littleEndian, toByteOffset: start + 24, as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: bytes[(start + Self.entryHeader)..<frames])
                .copyMemory(from: UnsafeRawBufferPointer(name))
            for at in (frames + frameBytes)..<count { bytes[at] = 0 }
            return frames
        }
    }

    /// Takes memory for twice of what is asked for.
    private mutating func grow(keeping used: Int) {
        let larger = Self.blocks(2 * count)
        larger.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory.bytes[..<used]))
        memory = larger
    }

    /// Writes the whole group.
    func write(
        to file: any DiskFile,
        at offset: UInt64,
        generation: UInt64,
        sequence: UInt64
    ) throws(DiskError) {
        let bytes = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<length])
        UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).initializeMemory(as: UInt8.self, repeating: 0)
        bytes.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt32.self)
        bytes.storeBytes(of: generation.littleEndian, toByteOffset: 8, as: UInt64.self)
        bytes.storeBytes(of: sequence.littleEndian, toByteOffset: 16, as: UInt64.self)
        bytes.storeBytes(of: UInt64(bytes.count).littleEndian, toByteOffset: 24, as: UInt64.self)
        let crc = millrace_crc32c(0, bytes.baseAddress! + 8, bytes.count - 8)
        bytes.storeBytes(of: crc.littleEndian, toByteOffset: 4, as: UInt32.self)
        try file.write(UnsafeRawBufferPointer(bytes), at: offset)
        extendLifetime(self)
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
            let kind = bytes[at]
            if kind == 0 { break }
            guard at + entryHeader <= end else { return nil }
            let nameLength = Int(bytes[at + 1])
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
