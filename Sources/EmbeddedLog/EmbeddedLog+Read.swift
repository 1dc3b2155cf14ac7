import DiskIO
import Logging
import RecordBatch
import ShardLog

/// Reading: from memory at the tail, else from the segments, a page at a time.
extension EmbeddedLog {
    /// Where a read goes.
    private enum Source {
        case memory([RecentFrames.Entry])
        case file(Segment, offset: UInt64, following: Segment?)
        case nothing
    }

    public func read(_ shard: ShardRef, from position: Position, maxBytes: Int) throws(ShardLogError) -> FrameSlab {
        let folder = try find(shard)
        var from = position.rawValue
        // Each turn gives frames or goes on in a later segment.
        while true {
            let (source, tail, isClosed) = try folder.with { state throws(ShardLogError) in
                from = max(from, state.first)
                return (Self.source(state, from, maxBytes), state.tail, state.isClosed)
            }
            switch source {
            case .nothing:
                let next = Position(rawValue: max(from, min(tail, .max)))
                return FrameSlab(bytes: .none, frames: [], next: next, isAtEnd: isClosed)
            case .memory(let frames):
                var slab = Self.slab(frames)
                slab.isAtEnd = isClosed && slab.next.rawValue >= tail
                return slab
            case .file(let segment, let offset, let following):
                guard var slab = try page(folder, segment, offset, maxBytes) else {
                    from = following?.first ?? tail
                    continue
                }
                if slab.next.rawValue >= segment.end, let following { slab.next = Position(rawValue: following.first) }
                slab.isAtEnd = isClosed && slab.next.rawValue >= tail
                return slab
            }
        }
    }

    private static func source(_ state: ShardFolder.State, _ from: UInt64, _ maxBytes: Int) -> Source {
        guard from < state.tail, let at = state.segments.index(of: from) ?? state.segments.indices.first else {
            return .nothing
        }
        let segment = state.segments[at]
        let from = max(from, segment.first)
        if let frames = state.recent.slab(from: from, maxBytes: maxBytes) {
            return frames.isEmpty ? .nothing : .memory(frames)
        }
        let following = at + 1 < state.segments.count ? state.segments[at + 1] : nil
        return .file(segment, offset: from - segment.base, following: following)
    }

    /// Frames of memory in one piece; a single one as it is.
    private static func slab(_ frames: [RecentFrames.Entry]) -> FrameSlab {
        var places: [FrameSlab.Frame] = []
        places.reserveCapacity(frames.count)
        var end = 0
        for frame in frames {
            let range = end..<end + frame.bytes.count
            places.append(FrameSlab.Frame(position: Position(rawValue: frame.position), range: range))
            end = range.upperBound
        }
        // A reader may keep it for long.
        var bytes = frames.count == 1 ? frames[0].bytes.compact : .none
        if frames.count > 1 {
            let memory = FrameMemory(count: end)
            for (frame, place) in zip(frames, places) {
                let target = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[place.range])
                frame.bytes.withUnsafeBytes { target.copyMemory(from: $0) }
            }
            bytes = FrameBytes(memory, 0..<end)
        }
        let last = frames[frames.count - 1]
        return FrameSlab(
            bytes: bytes,
            frames: places,
            next: Position(rawValue: last.position + UInt64(last.bytes.count)),
            isAtEnd: false
        )
    }

    // MARK: - Pages

    /// Verified frames of a segment from an offset on; nil when none is left in it. Damage is told of and passed over.
    private func page(
        _ folder: ShardFolder,
        _ segment: Segment,
        _ offset: UInt64,
        _ maxBytes: Int
    ) throws(ShardLogError) -> FrameSlab? {
        let position = Position(rawValue: segment.base + offset)
        if let slab = pages.find(folder.ref, position, maxBytes: maxBytes) { return slab }
        let (result, damage) = try Self.translating { () throws(DiskError) in
            var reader = PageReader(
                file: try disk.open(folder.path + "/" + segment.name, .read),
                segment: segment
            )
            let slab = try reader.page(at: offset, maxBytes: maxBytes)
            return (slab, reader.damage)
        }
        _ = folder.ifLoaded { state in
            if segment.base == state.segments.last?.base { state.isRead = true }
        }
        for found in damage { tell(found, folder, segment) }
        if let version = damage.lazy.compactMap(\.newerVersion).first, result == nil {
            throw .corrupt(
                "\(folder.path)/\(segment.name) holds a frame of version \(version): start the program that wrote it"
            )
        }
        if let result { pages.keep(result, folder.ref) }
        return result
    }

    /// Says once what is damaged, and where.
    private func tell(_ damage: PageReader.Damage, _ folder: ShardFolder, _ segment: Segment) {
        let isNew = folder.ifLoaded { $0.toldDamage.insert(segment.base + damage.offset).inserted } ?? false
        guard isNew else { return }
        logger.error(
            "a frame is damaged; it is passed over, and its records are not served",
            metadata: [
                "file": "\(folder.path)/\(segment.name)", "offset": "\(damage.offset)", "error": "\(damage.error)",
                "next": damage.next.map { "\($0)" } ?? "none",
            ]
        )
    }

    // MARK: - Looking for a position

    public func position(
        _ shard: ShardRef,
        arrivedAtOrAfter arrivalMilliseconds: Int64
    ) throws(ShardLogError) -> Position {
        let folder = try find(shard)
        let found = try position(folder, arrivedAtOrAfter: arrivalMilliseconds)
        let (first, tail) = try folder.with { ($0.first, $0.tail) }
        // Frames that are trimmed may be there still.
        if let found, found < first { return try position(shard, atOrAfter: Position(rawValue: first)) }
        return Position(rawValue: found ?? tail)
    }

    public func position(_ shard: ShardRef, atOrAfter position: Position) throws(ShardLogError) -> Position {
        let folder = try find(shard)
        let (segments, first, tail) = try folder.with { state in (state.segments, state.first, state.tail) }
        var asked = max(position.rawValue, first)
        guard asked < tail, let at = segments.index(of: asked) ?? segments.indices.first else {
            return Position(rawValue: tail)
        }
        asked = max(asked, segments[at].first)
        let recent = try folder.with { $0.recent.slab(from: asked, maxBytes: 1) }
        if let recent { return Position(rawValue: recent.first?.position ?? tail) }
        for segment in segments[at...] {
            let offset = max(asked, segment.first) - segment.base
            let found = try walk(folder, segment, from: { $0.start(forOffset: offset) }) { at, _ in at >= offset }
            if let found { return Position(rawValue: found) }
        }
        return Position(rawValue: tail)
    }

    /// The arrival of the oldest frame that is shown; nil without one.
    func arrivalOfOldest(_ folder: ShardFolder) throws(ShardLogError) -> Int64? {
        let (first, oldest) = try folder.with { ($0.first, $0.oldest) }
        if let oldest, oldest.first == first { return oldest.arrival }
        let slab = try read(folder.ref, from: Position(rawValue: first), maxBytes: 1)
        let header = slab.frames.first.flatMap { frame in
            slab.bytes.withUnsafeBytes { try? FrameHeader(peeking: UnsafeRawBufferPointer(rebasing: $0[frame.range])) }
        }
        if let header { _ = folder.ifLoaded { $0.oldest = (first, header.arrivalMilliseconds) } }
        return header?.arrivalMilliseconds
    }

    /// The first frame that arrived then or later. Segments are looked at by halves, by the arrival of their first frames.
    func position(_ folder: ShardFolder, arrivedAtOrAfter arrival: Int64) throws(ShardLogError) -> UInt64? {
        let (segments, last) = try folder.with { ($0.segments, $0.last) }
        if let last, last.arrival < arrival { return nil }
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            // One without frames says nothing: it can only be the newest, or one that a crash left behind.
            if let first = try firstArrival(folder, segments[middle]), first < arrival {
                low = middle + 1
            } else {
                high = middle
            }
        }
        // It is in the segment before, or it is the first frame of this one.
        for segment in segments[max(0, low - 1)...] {
            let found = try walk(folder, segment, from: { $0.start(forArrival: arrival) }) { _, header in
                header.arrivalMilliseconds >= arrival
            }
            if let found { return found }
        }
        return nil
    }

    private func firstArrival(_ folder: ShardFolder, _ segment: Segment) throws(ShardLogError) -> Int64? {
        if segment.isEmpty { return nil }
        let kept = try folder.with { $0.recent.slab(from: segment.first, maxBytes: 1)?.first?.arrival }
        if let kept { return kept }
        return try Self.translating { () throws(DiskError) in
            let file = try disk.open(folder.path + "/" + segment.name, .read)
            return try SegmentWalk.header(file, at: Segment.header)?.arrivalMilliseconds
        }
    }

    /// The position of the first frame in a segment for which `body` holds, looked for from where its index says.
    private func walk(
        _ folder: ShardFolder,
        _ segment: Segment,
        from start: (SegmentIndex) -> UInt64,
        _ body: (UInt64, FrameHeader) -> Bool
    ) throws(ShardLogError) -> UInt64? {
        if segment.isEmpty { return nil }
        let index = try index(folder, segment)
        // What is in memory alone stands behind what is in the file.
        let recent = try folder.with { state in state.recent.slab(from: state.recent.first ?? 0, maxBytes: .max) ?? [] }
        let inFile = min(segment.end, recent.first?.position ?? .max)
        var found: UInt64?
        if inFile > segment.first {
            try Self.translating { () throws(DiskError) in
                let file = try disk.open(folder.path + "/" + segment.name, .read)
                _ = try SegmentWalk(file: file, limit: inFile - segment.base, verifies: false).run(from: start(index)) {
                    offset,
                    header in
                    if body(offset, header) { found = segment.base + offset }
                    return found == nil
                }
            }
        }
        if found != nil { return found }
        return recent.first { frame in
            guard frame.position >= segment.base, frame.position < segment.end else { return false }
            return frame.bytes.withUnsafeBytes { bytes in
                (try? FrameHeader(peeking: bytes)).map { body(frame.position - segment.base, $0) } ?? false
            }
        }?.position
    }

    /// A segment's index, read or made when it is not in memory.
    private func index(_ folder: ShardFolder, _ segment: Segment) throws(ShardLogError) -> SegmentIndex {
        let (known, isActive, from) = try folder.with { state in
            (state.indexes[segment.base], segment.base == state.segments.last?.base, state.indexedFrom)
        }
        if let known, !isActive || from == 0 { return known }
        let loaded = try Self.translating { () throws(DiskError) in
            if !isActive { return try SegmentIndex.load(folder.path, segment, on: disk) }
            let file = try disk.open(folder.path + "/" + segment.name, .read)
            return try SegmentIndex.build(file, Segment(base: segment.base, size: from))
        }
        return try folder.with { state in
            guard segment.base == state.segments.last?.base else {
                state.indexes[segment.base] = loaded
                return loaded
            }
            // What recovery did not read, and behind it what it read and what came since.
            var whole = loaded
            for mark in state.indexes[segment.base]?.marks ?? [] {
                whole.note(arrival: mark.arrival, offset: mark.offset)
            }
            state.indexes[segment.base] = whole
            state.indexedFrom = 0
            return whole
        }
    }
}
