import CChecksums
import DiskIO
import RecordBatch

/// Where the frames of a segment are, and when they arrived: every 64 KiB one mark. In memory for the segments that are looked
/// at by time, and beside each sealed segment in a file that only saves reading it: one that is missing or damaged is made anew.
///
///     <base>.index:  0 u32 'MRIX' | 4 u8 version = 1 | 5 zeros | 8 u64 base | 16 u64 size | 24 u32 marks | 28 u32 CRC-32C
///                   32 marks of i64 arrival in ms | u64 offset       (the checksum is of all other bytes)
struct SegmentIndex: Sendable, Equatable {
    static let suffix = ".index"
    static let magic: UInt32 = 0x5849_524D
    /// Bytes between two marks.
    static let interval: UInt64 = 64 * 1024
    private static let header = 32

    /// A frame's arrival and offset.
    struct Mark: Sendable, Equatable {
        var arrival: Int64
        var offset: UInt64
    }

    /// Rising.
    private(set) var marks: [Mark] = []

    /// Notes a frame that stands behind all before it.
    mutating func note(arrival: Int64, offset: UInt64) {
        if let last = marks.last, offset < last.offset + Self.interval { return }
        marks.append(Mark(arrival: arrival, offset: offset))
    }

    /// The offset to look from for the first frame that arrived then or later: that of the last mark before it.
    func start(forArrival arrival: Int64) -> UInt64 {
        last { $0.arrival < arrival }?.offset ?? Segment.header
    }

    /// The offset to look from for the first frame at or behind `offset`.
    func start(forOffset offset: UInt64) -> UInt64 {
        last { $0.offset <= offset }?.offset ?? Segment.header
    }

    /// The last mark that holds, where all before it do.
    private func last(_ holds: (Mark) -> Bool) -> Mark? {
        var (low, high) = (0, marks.count)
        while low < high {
            let middle = (low + high) / 2
            if holds(marks[middle]) { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : marks[low - 1]
    }

    // MARK: - The file

    static func path(_ folder: String, _ segment: Segment) -> String {
        folder + "/" + Segment.hexadecimal(segment.base) + suffix
    }

    /// The index of a sealed segment: from its file, or else from the segment, and then the file is written for the next time.
    static func load(_ folder: String, _ segment: Segment, on disk: any Disk) throws(DiskError) -> SegmentIndex {
        let path = path(folder, segment)
        if let file = try? disk.open(path, .read), let size = try? file.size(), size < 1 << 24,
            let bytes = try? file.read(Int(size), at: 0), let index = SegmentIndex(bytes, of: segment)
        {
            return index
        }
        let index = try build(try disk.open(folder + "/" + segment.name, .read), segment)
        try? index.store(folder, segment, on: disk)
        return index
    }

    /// Reads the headers of a segment, as far as it is whole.
    static func build(_ file: any DiskFile, _ segment: Segment) throws(DiskError) -> SegmentIndex {
        var index = SegmentIndex()
        _ = try SegmentWalk(file: file, limit: segment.size, verifies: false).run(from: Segment.header) {
            offset,
            header in
            index.note(arrival: header.arrivalMilliseconds, offset: offset)
            return true
        }
        return index
    }

    /// Writes the file. Nothing depends on it, so it is not synced.
    func store(_ folder: String, _ segment: Segment, on disk: any Disk) throws(DiskError) {
        try disk.open(Self.path(folder, segment), .replace).write(encoded(segment), at: 0)
    }

    func encoded(_ segment: Segment) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: Self.magic)
        bytes += [1, 0, 0, 0]
        bytes.append(little: segment.base)
        bytes.append(little: segment.size)
        bytes.append(little: UInt32(marks.count))
        bytes.append(little: UInt32(0))
        for mark in marks {
            bytes.append(little: UInt64(bitPattern: mark.arrival))
            bytes.append(little: mark.offset)
        }
        let crc = Self.checksum(bytes)
        withUnsafeBytes(of: crc.littleEndian) { bytes.replaceSubrange(28..<32, with: $0) }
        return bytes
    }

    /// nil unless the bytes are the whole index of that segment.
    init?(_ bytes: [UInt8], of segment: Segment) {
        guard bytes.count >= Self.header, bytes.load(UInt32.self, 0) == Self.magic, bytes[4] == 1,
            bytes.load(UInt64.self, 8) == segment.base, bytes.load(UInt64.self, 16) == segment.size,
            bytes.count == Self.header + 16 * Int(bytes.load(UInt32.self, 24)),
            bytes.load(UInt32.self, 28) == Self.checksum(bytes)
        else { return nil }
        marks = stride(from: Self.header, to: bytes.count, by: 16).map { at in
            Mark(arrival: Int64(bitPattern: bytes.load(UInt64.self, at)), offset: bytes.load(UInt64.self, at + 8))
        }
    }

    init() {}

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { bytes in
            let first = millrace_crc32c(0, bytes.baseAddress, 28)
            return millrace_crc32c(first, bytes.baseAddress! + header, bytes.count - header)
        }
    }
}

extension [UInt8] {
    /// Appends a little-endian number.
    mutating func append(little number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// A little-endian number at an offset.
    func load<Number: FixedWidthInteger>(_ type: Number.Type, _ offset: Int) -> Number {
        withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type)) }
    }
}
