import CChecksums
import RecordBatch
import ShardLog

/// What a group does to one shard.
///
/// Of the commit thread alone, but while it is made durable: then each part is in the hands of one thread of the pool, which may
/// be the journal's, and the commit thread waits for them. It is used again for later groups, whatever their shards.
final class CommitPart: @unchecked Sendable {
    private(set) var shard: ShardFolder
    /// The active segment as it is after the group.
    private(set) var active: Segment?
    /// All segments, the last one as `active` was when it became that; known once some came or went.
    private var list: [Segment] = []
    /// Whether segments came or went.
    private var isReshaped = false
    /// The group's frames.
    private(set) var frames: [RecentFrames.Entry] = []
    private(set) var frameBytes = 0
    private(set) var failure: ShardLogError?
    var closeFailure: ShardLogError?
    private(set) var closes = false
    private(set) var first: UInt64 = 0
    private var trims = false
    /// What is synced of the shard, where the group was written directly.
    private(set) var mark: TailMark?
    /// So much waits in memory that it is time to write it into the segment.
    private(set) var wantsApply = false
    private var wasClosed = false
    private var applyBytes = 0
    private var gone: [Segment] = []
    var owner = 0
    /// The tail before the group.
    private(set) var durableTail: UInt64 = 0
    /// Where the shard's next frame is kept in memory.
    private var hints: (head: UnsafeRawPointer, end: UnsafeRawPointer)?
    /// From so many bytes on the frames are written where they stay.
    private var directBytes = 0

    init(_ shard: ShardFolder) { self.shard = shard }

    /// Begins a shard's part of a group; of the group before nothing is left but memory.
    func begin(_ shard: ShardFolder, _ state: borrowing ShardFolder.State, directBytes: Int, applyBytes: Int) {
        self.shard = shard
        self.directBytes = directBytes
        // Not all shards at the same time.
        self.applyBytes = applyBytes * (64 + Int(shard.ref.index % 64)) / 64
        wasClosed = state.isClosed
        active = state.segments.last
        durableTail = state.tail
        first = state.first
        owner = state.owner
        hints = state.recent.hints
    }

    /// Asks for the memory that showing it needs.
    func prefetch() {
        shard.prefetch()
        guard let hints else { return }
        millrace_prefetch(hints.head, 1)
        millrace_prefetch(hints.end, 1)
    }

    /// Lets go of all that the group had of the shard.
    func end() {
        if frames.capacity > Self.keptFrames { frames = [] } else { frames.removeAll(keepingCapacity: true) }
        (frameBytes, failure, closeFailure, mark) = (0, nil, nil, nil)
        (isReshaped, closes, trims, wantsApply) = (false, false, false, false)
        if !list.isEmpty { list = [] }
        if !gone.isEmpty { gone = [] }
    }

    /// Memory for so many frames is kept.
    private static let keptFrames = 16

    var isDirect: Bool { frameBytes >= directBytes }
    var isJournaled: Bool { trims || !frames.isEmpty && !isDirect }
    var isSealed: Bool { wasClosed || closes }
    var changesTail: Bool { !frames.isEmpty || closes }
    var tail: UInt64 { active?.end ?? 0 }

    /// The segments as they are after the group: all of them, or the active one where no other has changed.
    var segments: [Segment] {
        guard let active else { return [] }
        return isReshaped ? Array(list.dropLast()) + [active] : [active]
    }

    /// The base of the segment that a position lies in.
    private func base(of position: UInt64) -> UInt64? {
        if let active, position >= active.base { return active.base }
        return list.index(of: position).map { list[$0].base }
    }

    func fail(_ error: ShardLogError) { if failure == nil { failure = error } }

    /// It failed, and a restart may find it all the same.
    func isUnknown(_ why: String) { failure = .unknown(why) }

    // MARK: - Planning

    /// Throws what a frame is refused for, wherever it would stand.
    static func check(_ frame: AppendFrame) throws(ShardLogError) {
        if frame.bytes.count > FrameEncoder.byteLimit { throw .tooLarge(limit: FrameEncoder.byteLimit) }
    }

    /// Gives a frame its place.
    func append(_ frame: consuming AppendFrame, segmentBytes: UInt64) -> Position {
        var segment = active ?? Segment(base: 0)
        if active == nil || segment.size >= segmentBytes {
            segment = Segment(base: tail)
            reshape { $0.append(segment) }
        }
        let position = segment.end
        let count = frame.bytes.count
        segment.size += UInt64(count)
        active = segment
        frames.append(
            RecentFrames.Entry(position: position, arrival: frame.arrivalMilliseconds, bytes: frame.bytes)
        )
        frameBytes += count
        return Position(rawValue: position)
    }

    /// Changes which segments there are.
    private func reshape<Result>(_ body: (inout [Segment]) -> Result) -> Result {
        // Only the commits change it. Where it is gone the shard was deleted, and nothing of this will be shown.
        if !isReshaped { list = shard.ifLoaded { $0.segments } ?? [] }
        if let active { if list.isEmpty { list = [active] } else { list[list.count - 1] = active } }
        isReshaped = true
        defer { active = list.last }
        return body(&list)
    }

    func close() { closes = true }

    /// Lets go of whole segments before a position. The active one stays, so that the tail is known.
    func trim(first position: UInt64) {
        guard position > first else { return }
        first = min(position, tail)
        trims = true
        gone += reshape { $0.removeSegments(before: first) }
    }

    // MARK: - Carrying out

    /// Gives the frames memory of their own, before they are kept for readers: of what shared it with them, other frames may be
    /// let go of much sooner. Those in the journal share its group's.
    func compact() {
        guard isDirect else { return }
        for index in frames.indices { frames[index].bytes = frames[index].bytes.compact }
    }

    /// The part as the journal has it.
    func append(to record: inout JournalGroup) {
        if !isDirect {
            var next = 0
            while next < frames.count, let base = base(of: frames[next].position) {
                let end = frames[next...].firstIndex { self.base(of: $0.position) != base } ?? frames.count
                record.append(&frames, next..<end, base: base, of: shard.ref)
                next = end
            }
        }
        if trims { record.append(first: first, of: shard.ref) }
    }

    /// Changes the state that readers see. Returns segments that are sealed now, with their indexes.
    func show(_ state: inout ShardFolder.State) -> [(Segment, SegmentIndex)] {
        state.owner = owner
        state.first = first
        if closes, closeFailure == nil { state.isClosed = true }
        if trims {
            for segment in gone { state.indexes[segment.base] = nil }
            state.leftovers += gone
        }
        let former = state.segments.last?.base
        if isReshaped {
            state.segments = segments
        } else if let active {
            state.segments[state.segments.count - 1] = active
        }
        for index in frames.indices {
            guard let base = base(of: frames[index].position) else { continue }
            state.note(arrival: frames[index].arrival, at: frames[index].position, in: base)
        }
        if let last = frames.indices.last {
            state.last = ShardFolder.LastFrame(position: frames[last].position, arrival: frames[last].arrival)
        }
        let waiting = state.recent.unappliedBytes
        state.recent.append(frames, areApplied: isDirect)
        wantsApply = waiting < applyBytes && state.recent.unappliedBytes >= applyBytes
        if isDirect {
            mark = state.markAtTail
            state.applied = mark
        } else if trims {
            state.applied?.first = first
        }
        guard isReshaped, let former, let active = active?.base, active > former else { return [] }
        var sealed: [(Segment, SegmentIndex)] = []
        for segment in segments where segment.base >= former && segment.base < active {
            // Recovery did not read the segment's beginning: its index is made when somebody asks.
            let isWhole = segment.base != former || state.indexedFrom == 0
            if isWhole, let index = state.indexes[segment.base] { sealed.append((segment, index)) }
            state.indexes[segment.base] = nil
        }
        state.indexedFrom = 0
        return sealed
    }
}
