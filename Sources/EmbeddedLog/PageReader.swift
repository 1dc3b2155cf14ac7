import DiskIO
import RecordBatch
import ShardLog
import Synchronization

/// Reads verified frames from a segment, and finds the next whole one where one is damaged.
struct PageReader {
    /// Bytes that are no whole frame.
    struct Damage {
        var offset: UInt64
        var error: FrameError
        /// Where reading goes on; nil when nothing whole stands behind.
        var next: UInt64?

        /// A frame that a newer program wrote.
        var newerVersion: UInt8? { if case .version(let version) = error { version } else { nil } }
    }

    let file: any DiskFile
    let segment: Segment
    private(set) var damage: [Damage] = []

    init(file: any DiskFile, segment: Segment) {
        self.file = file
        self.segment = segment
    }

    /// Whole frames from an offset on, the first one whatever its size; nil when none is left in the segment.
    mutating func page(at offset: UInt64, maxBytes: Int) throws(DiskError) -> FrameSlab? {
        var start = offset
        while start < segment.size {
            let rest = Int(segment.size - start)
            var page = try read(min(rest, max(maxBytes, 4096)), at: start)
            if let length = Self.length(page), length > page.count, length <= rest {
                page = try read(length, at: start)
            }
            let (frames, end, error) = page.withUnsafeBytes { verify($0, start, maxBytes) }
            if !frames.isEmpty {
                return FrameSlab(
                    bytes: page.prefix(end).compact,
                    frames: frames,
                    next: Position(rawValue: segment.base + start + UInt64(end)),
                    isAtEnd: false
                )
            }
            let next = try self.next(behind: start)
            damage.append(Damage(offset: start, error: error ?? .short, next: next))
            guard let next else { return nil }
            start = next
        }
        return nil
    }

    private func read(_ count: Int, at offset: UInt64) throws(DiskError) -> FrameBytes {
        let memory = FrameMemory(count: count)
        return FrameBytes(memory, 0..<(try file.read(into: memory.bytes, at: offset)))
    }

    /// The frames at the start of `bytes`, and where they end.
    private func verify(
        _ bytes: UnsafeRawBufferPointer,
        _ start: UInt64,
        _ maxBytes: Int
    ) -> (frames: [FrameSlab.Frame], end: Int, error: FrameError?) {
        var frames: [FrameSlab.Frame] = []
        var end = 0
        var error: FrameError?
        while end < bytes.count, error == nil {
            do throws(FrameError) {
                let frame = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[end...]))
                let length = frame.header.frameLength
                // The bytes read are the limit, but where a page of them was read only to see a header.
                if end > 0, end + length > maxBytes { break }
                let position = Position(rawValue: segment.base + start + UInt64(end))
                frames.append(FrameSlab.Frame(position: position, range: end..<end + length))
                end += length
            } catch let found {
                error = found
                if case .version = found, !FrameView.hasWholeHead(UnsafeRawBufferPointer(rebasing: bytes[end...])) {
                    error = .headerChecksum
                }
            }
        }
        return (frames, end, error)
    }

    private static func length(_ bytes: FrameBytes) -> Int? {
        bytes.withUnsafeBytes { (try? FrameHeader(peeking: $0))?.frameLength }
    }

    /// The offset of the next whole frame. Rare, so all that is left of the segment is read.
    private func next(behind offset: UInt64) throws(DiskError) -> UInt64? {
        let bytes = try file.read(Int(segment.size - offset), at: offset)
        return DamagedFrames.next(bytes, after: 0).map { offset + UInt64($0.offset) }
    }
}

/// The pages that were read last: a reader that takes a page's records in small pieces does not read it again for each.
final class PageCache: Sendable {
    static let bytes = 16 << 20

    private struct Page {
        var shard: ShardRef
        var slab: FrameSlab
    }

    private let pages = Mutex<[Page]>([])

    /// The kept frames from a position on.
    func find(_ shard: ShardRef, _ position: Position, maxBytes: Int) -> FrameSlab? {
        pages.withLock { pages in
            for page in pages.reversed() where page.shard == shard {
                guard let first = page.slab.frames.firstIndex(where: { $0.position == position }) else { continue }
                var slab = page.slab
                let start = slab.frames[first].range.lowerBound
                var end = first + 1
                while end < slab.frames.count, slab.frames[end].range.upperBound - start <= maxBytes { end += 1 }
                if end < slab.frames.count { slab.next = slab.frames[end].position }
                slab.frames = Array(slab.frames[first..<end])
                return slab
            }
            return nil
        }
    }

    func keep(_ slab: FrameSlab, _ shard: ShardRef) {
        guard slab.bytes.count <= Self.bytes / 2 else { return }
        pages.withLock { pages in
            pages.append(Page(shard: shard, slab: slab))
            var total = pages.reduce(0) { $0 + $1.slab.bytes.count }
            while total > Self.bytes || pages.count > 64 { total -= pages.removeFirst().slab.bytes.count }
        }
    }

    func forget(_ shard: ShardRef) { pages.withLock { $0.removeAll { $0.shard == shard } } }
}
