import DiskIO
import Glibc
import RecordBatch

/// One file of a shard's log. Its name is its base, the position of its first byte, in 16 hexadecimal digits.
///
///     0 u32 'MRSG' | 4 u8 version = 1 | 5 zeros | 8 u64 base | 16 zeros | 64 frames, one behind the other
///
/// A frame's position is the base plus its offset in the file, so finding one by position needs no index.
struct Segment: Sendable {
    static let header: UInt64 = 64
    static let magic: [UInt8] = Array("MRSG".utf8)
    static let suffix = ".log"
    /// Bytes between two marks of the time index.
    static let markInterval: UInt64 = 64 * 1024

    /// A frame's arrival and offset.
    struct Mark: Sendable {
        var arrival: Int64
        var offset: UInt64
    }

    var base: UInt64
    /// Durable bytes, the header included.
    var size: UInt64
    /// The arrival of the last frame; nil in a segment without frames.
    var lastArrival: Int64?
    /// The offset of the last frame.
    var lastFrame: UInt64?
    /// Sparse, rising.
    var marks: [Mark] = []
    /// Whether `marks` and `lastArrival` are filled in: sealed segments are looked at when they are needed.
    var isLoaded: Bool

    init(base: UInt64, size: UInt64 = Segment.header, isLoaded: Bool = true) {
        self.base = base
        self.size = size
        self.isLoaded = isLoaded
    }

    var end: UInt64 { base + size }
    var first: UInt64 { base + Self.header }

    var name: String {
        let digits = String(base, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits + Self.suffix
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

    static func isHeader(_ bytes: [UInt8], base: UInt64) -> Bool { bytes == headerBytes(base: base) }

    /// Makes a segment's file with its header, and its name durable; the header is synced with the first frame. What stands
    /// there is never overwritten, but for a file without frames that a crash left.
    static func makeFile(_ folder: String, on disk: any Disk, base: UInt64) throws(DiskError) -> any DiskFile {
        let path = folder + "/" + Segment(base: base).name
        var file: any DiskFile
        do throws(DiskError) {
            file = try disk.open(path, .createNew)
        } catch {
            guard error.number == EEXIST, try disk.open(path, .read).size() <= header else { throw error }
            try disk.remove(path)
            file = try disk.open(path, .createNew)
        }
        try file.write(headerBytes(base: base), at: 0)
        try disk.syncFolder(folder)
        return file
    }

    /// Notes a frame that stands at `offset`.
    mutating func note(arrival: Int64, offset: UInt64) {
        if marks.last.map({ offset - $0.offset >= Self.markInterval }) ?? true {
            marks.append(Mark(arrival: arrival, offset: offset))
        }
        lastArrival = arrival
        lastFrame = offset
    }

    /// The offset to look from for a frame that arrived at or after a time: that of the last mark before it.
    func start(forArrival arrival: Int64) -> UInt64 {
        marks.last { $0.arrival < arrival }?.offset ?? Self.header
    }

    /// The offset to look from for the first frame at or behind `offset`.
    func start(forOffset offset: UInt64) -> UInt64 {
        marks.last { $0.offset <= offset }?.offset ?? Self.header
    }
}

/// Walks a segment's frames in order, reading a piece at a time.
struct SegmentWalk {
    /// How a walk ended.
    enum End: Equatable {
        /// At the limit, with whole frames all the way.
        case whole
        /// At bytes that are no frame.
        case broken(at: UInt64, FrameError)
    }

    let file: any DiskFile
    /// Bytes from here on are not looked at.
    let limit: UInt64
    /// Whether the records' checksums are verified too.
    let verifies: Bool

    /// Calls `body` with each frame's offset and header until it returns false.
    func run(
        from start: UInt64,
        _ body: (UInt64, FrameHeader) -> Bool
    ) throws(DiskError) -> End {
        var at = start
        var buffer: [UInt8] = []
        var bufferStart = start
        while at < limit {
            let need = verifies ? 1 << 20 : 64 * 1024
            var result: Result<FrameHeader, FrameError> = .failure(.short)
            for _ in 0..<2 {
                result = Self.frame(buffer, Int(at - bufferStart), verifies: verifies)
                guard case .failure(.short) = result else { break }
                // A frame may be longer than a piece: its header, once seen, tells how long.
                let have = buffer.count - Int(at - bufferStart)
                let length = have >= FrameHeader.size ? Self.length(buffer, Int(at - bufferStart)) : 0
                bufferStart = at
                buffer = try file.read(max(need, length), at: at)
                result = Self.frame(buffer, 0, verifies: verifies)
                if case .failure(.short) = result, Self.length(buffer, 0) <= buffer.count { break }
            }
            switch result {
            case .failure(let error): return .broken(at: at, error)
            case .success(let header):
                guard at + UInt64(header.frameLength) <= limit else { return .broken(at: at, .short) }
                if !body(at, header) { return .whole }
                at += UInt64(header.frameLength)
            }
        }
        return .whole
    }

    private static func length(_ buffer: [UInt8], _ offset: Int) -> Int {
        guard offset >= 0, offset < buffer.count else { return 0 }
        return buffer.withUnsafeBytes { bytes in
            (try? FrameHeader(peeking: UnsafeRawBufferPointer(rebasing: bytes[offset...])))?.frameLength ?? 0
        }
    }

    private static func frame(_ buffer: [UInt8], _ offset: Int, verifies: Bool) -> Result<FrameHeader, FrameError> {
        guard offset >= 0, offset < buffer.count else { return .failure(.short) }
        return buffer.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            do throws(FrameError) {
                return .success(verifies ? try FrameView(validating: rest).header : try FrameHeader(peeking: rest))
            } catch {
                return .failure(error)
            }
        }
    }
}
