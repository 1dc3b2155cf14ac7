import DiskIO
import RecordBatch

/// One file of a shard's log. Its name is its base, the position of its first byte, in 16 hexadecimal digits.
///
///     0 u32 'MRSG' | 4 u8 version = 1 | 5 zeros | 8 u64 base | 16 zeros | 64 frames, one behind the other | zeros
///
/// The zeros, up to a multiple of 4096, stand only where the last frames were written in whole blocks (`SegmentBlocks`).
/// A frame's position is the base plus its offset in the file, so finding one by position needs no index.
struct Segment: Sendable, Equatable {
    static let header: UInt64 = 64
    static let magic: [UInt8] = Array("MRSG".utf8)
    static let suffix = ".log"
    /// What is written past the page cache is written in whole blocks of so many bytes.
    static let block = 4096

    var base: UInt64
    /// Acknowledged bytes, the header included.
    var size: UInt64

    init(base: UInt64, size: UInt64 = Segment.header) {
        self.base = base
        self.size = size
    }

    var end: UInt64 { base + size }
    var first: UInt64 { base + Self.header }
    var isEmpty: Bool { size <= Self.header }

    var name: String { Self.hexadecimal(base) + Self.suffix }

    static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    static func base(ofName name: String) -> UInt64? {
        guard name.hasSuffix(suffix), name.utf8.count == 16 + suffix.utf8.count else { return nil }
        return UInt64(name.dropLast(suffix.count), radix: 16)
    }

    static func headerBytes(base: UInt64) -> [UInt8] {
        var bytes = magic + [1, 0, 0, 0]
        withUnsafeBytes(of: base.littleEndian) { bytes += $0 }
        return bytes + [UInt8](repeating: 0, count: Int(header) - bytes.count)
    }

    /// Whether what stands from an offset on is no more than the zeros of a last block.
    static func isPadding(_ file: any DiskFile, from offset: UInt64, to size: UInt64) throws(DiskError) -> Bool {
        guard size % UInt64(block) == 0, offset < size, size - offset < block else { return false }
        return try file.read(Int(size - offset), at: offset).allSatisfy { $0 == 0 }
    }

    static func isHeader(_ bytes: [UInt8], base: UInt64) -> Bool { bytes == headerBytes(base: base) }

    /// Makes a segment's file with its header. Its name is durable after a sync of the folder, its header with the first
    /// frame. What stands there is never overwritten, but for a file without frames that a crash left.
    static func makeFile(_ folder: String, on disk: any Disk, base: UInt64) throws(DiskError) -> any DiskFile {
        let path = folder + "/" + Segment(base: base).name
        var file: any DiskFile
        do throws(DiskError) {
            file = try disk.open(path, .createNew)
        } catch {
            guard error.isOccupied, try disk.open(path, .read).size() <= header else { throw error }
            try disk.remove(path)
            file = try disk.open(path, .createNew)
        }
        do throws(DiskError) {
            try file.write(headerBytes(base: base), at: 0)
        } catch {
            // The next segment may begin elsewhere, and this one would stand in its middle.
            try disk.remove(path)
            throw error
        }
        return file
    }
}

extension [Segment] {
    /// The index of the segment that a position lies in: the last one that starts at or before it.
    func index(of position: UInt64) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].base <= position { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// Takes out those that hold nothing from a position on. The last one stays, so that the tail is known.
    mutating func removeSegments(before position: UInt64) -> [Segment] {
        let kept = dropLast().firstIndex { $0.end > position } ?? Swift.max(0, count - 1)
        defer { removeFirst(kept) }
        return Array(self[..<kept])
    }
}
