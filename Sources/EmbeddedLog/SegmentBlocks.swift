import CChecksums
import DiskIO
import RecordBatch
import ShardLog

/// Writes frames into a segment in whole blocks, past the page cache.
///
///                ┌ whole blocks
///     ... frames │ the last block's frames, again │ frames of the run │ zeros
///                └──────────────────── one write ─────────────────────────┘
///
/// A block that frames end in is written again with those that follow, and as it was: of what is durable nothing changes. The
/// zeros go with the next frames; at the end of a segment they stay, and nobody takes them for more (`Segment.isPadding`).
enum SegmentBlocks {
    /// The last block of a file that was written so.
    struct Tail: Sendable {
        /// The segment that it is of.
        var base: UInt64
        /// Where it begins in the file.
        var offset: UInt64
        /// Its frames, without the zeros behind them.
        var bytes: [UInt8]
    }

    /// Frames are brought together in pieces of about this size.
    private static let pieceBytes = 1 << 20
    /// So many frames ahead memory is asked for: they stand wherever their groups were made.
    private static let ahead = 3

    /// Writes frames that stand one behind the other, and returns the last block then.
    ///
    /// - Parameters:
    ///   - tail: the last block as it is; when it is not known, it is read.
    ///   - unsyncedBytes: what stands in front of the first one and is not synced, for the frames' stamps; nil for those that
    ///     are durable already, and have none.
    static func write(
        _ frames: ArraySlice<RecentFrames.Entry>,
        to file: any DiskFile,
        of segment: Segment,
        at start: UInt64,
        behind tail: Tail?,
        unsyncedBytes: Int? = nil
    ) throws(DiskError) -> Tail {
        var (rest, offset) = (frames, start)
        let known = tail.flatMap { $0.ends(segment, at: start) ? $0 : nil }
        var tail: Tail
        if let known { tail = known } else { tail = try read(file, segment, upTo: start) }
        file.passCache(true)
        while !rest.isEmpty {
            var bytes = 0
            let end = rest.firstIndex { frame in
                if bytes >= pieceBytes { return true }
                bytes += frame.bytes.count
                return false
            }
            let piece = rest[..<(end ?? rest.endIndex)]
            let unsynced = unsyncedBytes.map { $0 + Int(offset - start) }
            tail = try write(piece, bytes, to: file, behind: tail, unsyncedBytes: unsynced)
            offset += UInt64(bytes)
            rest = rest[piece.endIndex...]
        }
        return tail
    }

    private static func write(
        _ frames: ArraySlice<RecentFrames.Entry>,
        _ bytes: Int,
        to file: any DiskFile,
        behind tail: Tail,
        unsyncedBytes: Int?
    ) throws(DiskError) -> Tail {
        let block = Segment.block
        let count = tail.bytes.count + bytes
        let length = (count + block - 1) / block * block
        let memory = FrameMemory(count: length, alignment: block)
        var at = tail.bytes.count
        memory.bytes.copyBytes(from: tail.bytes)
        for index in frames.indices {
            if index + ahead < frames.endIndex {
                let next = frames[index + ahead].bytes.unsafeBytes
                if let start = next.baseAddress { millrace_prefetch_for_reading(start, next.count) }
            }
            let frame = frames[index].bytes.unsafeBytes
            let place = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[at..<at + frame.count])
            place.copyMemory(from: frame)
            if let unsyncedBytes {
                let envelope = UnsafeMutableRawBufferPointer(rebasing: place[..<FrameHeader.size])
                FrameStamp.fill(envelope, of: frame, unsyncedBytes: unsyncedBytes + at - tail.bytes.count)
            }
            at += frame.count
        }
        extendLifetime(frames)
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[at...]).initializeMemory(as: UInt8.self, repeating: 0)
        try file.write(UnsafeRawBufferPointer(memory.bytes), at: tail.offset)
        let last = count / block * block
        defer { extendLifetime(memory) }
        return Tail(base: tail.base, offset: tail.offset + UInt64(last), bytes: [UInt8](memory.bytes[last..<count]))
    }

    /// Writes bytes that may stand there already, with others before and behind them: those of the first and the last block are
    /// read, and written as they are.
    static func replace(
        _ pieces: [UnsafeRawBufferPointer],
        of file: any DiskFile,
        at start: UInt64
    ) throws(DiskError) {
        let block = UInt64(Segment.block)
        let count = pieces.reduce(0) { $0 + $1.count }
        let first = start / block * block
        let (head, end) = (Int(start - first), Int((start + UInt64(count) + block - 1) / block * block - first))
        let memory = FrameMemory(count: end, alignment: Segment.block)
        memory.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        file.passCache(false)
        _ = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[..<head]), at: first)
        var at = head
        for piece in pieces {
            UnsafeMutableRawBufferPointer(rebasing: memory.bytes[at...]).copyMemory(from: piece)
            at += piece.count
        }
        _ = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[at...]), at: first + UInt64(at))
        file.passCache(true)
        try file.write(UnsafeRawBufferPointer(memory.bytes), at: first)
        extendLifetime(memory)
    }

    /// The block that an offset lies in, up to there.
    private static func read(
        _ file: any DiskFile,
        _ segment: Segment,
        upTo end: UInt64
    ) throws(DiskError) -> Tail {
        let offset = end / UInt64(Segment.block) * UInt64(Segment.block)
        file.passCache(false)
        var bytes = try file.read(Int(end - offset), at: offset)
        // As a write behind a file's end does.
        bytes += [UInt8](repeating: 0, count: Int(end - offset) - bytes.count)
        return Tail(base: segment.base, offset: offset, bytes: bytes)
    }
}

extension SegmentBlocks.Tail {
    /// Whether the segment's bytes end with it at an offset.
    fileprivate func ends(_ segment: Segment, at end: UInt64) -> Bool {
        base == segment.base && offset + UInt64(bytes.count) == end
    }
}
