import RecordBatch
import ShardLog

/// What a group does to one shard.
///
/// Of the commit thread alone, but for its sync: then each part is in the hands of one thread of the pool, or of the one that
/// syncs the journal, and the commit thread waits for them.
final class CommitPart: @unchecked Sendable {
    let shard: ShardFolder
    /// The segments as they are after the group.
    private(set) var segments: [Segment]
    /// The group's frames.
    private(set) var frames: [RecentFrames.Entry] = []
    private(set) var frameBytes = 0
    private(set) var failure: ShardLogError?
    var closeFailure: ShardLogError?
    private(set) var closes = false
    private(set) var first: UInt64
    private var trims = false
    /// What is synced of the shard, where the group was written directly.
    private(set) var mark: TailMark?
    /// So much waits in memory that it is time to write it into the segment.
    private(set) var wantsApply = false
    private let wasClosed: Bool
    private let applyBytes: Int
    private var gone: [Segment] = []
    /// The syncs of its file that had failed when its frames were written.
    var failedSyncs = 0
    var owner: Int
    /// The tail before the group.
    let durableTail: UInt64
    /// From so many bytes on the frames are written where they stay.
    private let directBytes: Int

    init(_ shard: ShardFolder, _ state: ShardFolder.State, directBytes: Int, applyBytes: Int) {
        self.shard = shard
        self.directBytes = directBytes
        // Not all shards at the same time.
        self.applyBytes = applyBytes * (64 + Int(shard.ref.index % 64)) / 64
        wasClosed = state.isClosed
        segments = state.segments
        durableTail = state.tail
        first = state.first
        owner = state.owner
    }

    var isDirect: Bool { frameBytes >= directBytes }
    var isJournaled: Bool { trims || !frames.isEmpty && !isDirect }
    var isSealed: Bool { wasClosed || closes }
    var changesTail: Bool { !frames.isEmpty || closes }
    var tail: UInt64 { segments.last?.end ?? 0 }

    func fail(_ error: ShardLogError) { if failure == nil { failure = error } }

    /// It failed, and a restart may find it all the same.
    func isUnknown(_ why: String) { failure = .unknown(why) }

    // MARK: - Planning

    /// Gives frames their places.
    func append(_ new: [AppendFrame], segmentBytes: UInt64) -> [Position] {
        new.map { frame in
            if segments.last.map({ $0.size >= segmentBytes }) ?? true { segments.append(Segment(base: tail)) }
            let position = tail
            segments[segments.count - 1].size += UInt64(frame.bytes.count)
            frames.append(
                RecentFrames.Entry(position: position, arrival: frame.arrivalMilliseconds, bytes: frame.bytes)
            )
            frameBytes += frame.bytes.count
            return Position(rawValue: position)
        }
    }

    func close() { closes = true }

    /// Lets go of whole segments before a position. The active one stays, so that the tail is known.
    func trim(first position: UInt64) {
        guard position > first else { return }
        first = min(position, tail)
        trims = true
        gone += segments.removeSegments(before: first)
    }

    // MARK: - Carrying out

    /// The part as the journal has it.
    func append(to record: inout JournalGroup) {
        if !isDirect {
            var rest = frames[...]
            while let frame = rest.first, let at = segments.index(of: frame.position) {
                let end = rest.firstIndex { $0.position >= segments[at].end } ?? rest.endIndex
                record.append(rest[..<end], base: segments[at].base, of: shard.ref)
                rest = rest[end...]
            }
        }
        if trims { record.append(first: first, of: shard.ref) }
    }

    /// Changes the state that readers see. Returns segments that are sealed now, with their indexes.
    func show(_ state: inout ShardFolder.State) -> [(Segment, SegmentIndex)] {
        state.owner = owner
        state.first = first
        if closes, closeFailure == nil { state.isClosed = true }
        for segment in gone { state.indexes[segment.base] = nil }
        state.leftovers += gone
        let former = state.segments.last?.base
        state.segments = segments
        for frame in frames {
            guard let at = segments.index(of: frame.position) else { continue }
            let base = segments[at].base
            state.indexes[base, default: SegmentIndex()].note(arrival: frame.arrival, offset: frame.position - base)
        }
        if let last = frames.last { state.last = ShardFolder.LastFrame(position: last.position, arrival: last.arrival) }
        let waiting = state.recent.unappliedBytes
        state.recent.append(frames, areApplied: isDirect)
        wantsApply = waiting < applyBytes && state.recent.unappliedBytes >= applyBytes
        if isDirect {
            mark = state.markAtTail
            state.applied = mark
        } else {
            state.applied?.first = first
        }
        guard let former, let active = segments.last?.base, active > former else { return [] }
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

/// Requests that are made durable together.
final class CommitGroup {
    private(set) var parts: [CommitPart] = []
    private var ends: [CommitEnd] = []

    /// - Parameters:
    ///   - number: none that a group before it had.
    ///   - refusal: why nothing may be appended.
    init(
        _ requests: [LogRequest],
        number: Int,
        _ configuration: EmbeddedLog.Configuration,
        directBytes: Int,
        refusal: ShardLogError?
    ) {
        ends.reserveCapacity(requests.count)
        for request in requests {
            var end = CommitEnd(request: request)
            do throws(ShardLogError) {
                let part: CommitPart
                if request.shard.committing.group == number {
                    part = parts[request.shard.committing.part]
                } else {
                    part = try request.shard.with { state throws(ShardLogError) in
                        CommitPart(request.shard, state, directBytes: directBytes, applyBytes: configuration.applyBytes)
                    }
                    request.shard.committing.group = number
                    request.shard.committing.part = parts.count
                    parts.append(part)
                }
                end.part = part
                if let refusal, case .append = request.action { throw refusal }
                try Self.plan(&end, part, configuration)
            } catch {
                // What its owner has appended behind it in this group fails, too.
                request.appender?.fail(error)
                end.failure = error
            }
            ends.append(end)
        }
    }

    /// Bytes that the journal's entries will take, about.
    var journaledBytes: Int {
        parts.reduce(0) { $0 + ($1.isJournaled ? 160 + ($1.isDirect ? 0 : $1.frameBytes) : 0) }
    }

    private static func plan(
        _ end: inout CommitEnd,
        _ part: CommitPart,
        _ configuration: EmbeddedLog.Configuration
    ) throws(ShardLogError) {
        switch end.request.action {
        case .append(let frames, let appender, _):
            try check(appender, part)
            for frame in frames where frame.bytes.count > FrameEncoder.byteLimit {
                throw ShardLogError.tooLarge(limit: FrameEncoder.byteLimit)
            }
            end.positions = part.append(frames, segmentBytes: configuration.segmentBytes)
        case .close(let appender):
            try check(appender, part)
            part.close()
        case .open(let expected):
            if part.isSealed { throw ShardLogError.closed }
            let tail = Position(rawValue: part.tail)
            if let expected, expected != tail { throw ShardLogError.conflict(actual: tail) }
            part.owner += 1
            end.outcome.owner = part.owner
        case .trim(let first): part.trim(first: first)
        }
        end.outcome.tail = Position(rawValue: part.tail)
    }

    private static func check(_ appender: EmbeddedAppender, _ part: CommitPart) throws(ShardLogError) {
        if let failure = appender.failure { throw failure }
        if part.isSealed { throw ShardLogError.closed }
        guard appender.owner == part.owner else {
            throw ShardLogError.conflict(actual: Position(rawValue: part.tail))
        }
    }

    /// How every request ended, in order. Nothing that comes later is planned before its appender knows.
    func end() -> [CommitEnd] {
        for index in ends.indices {
            if ends[index].failure == nil, let part = ends[index].part {
                if let failure = part.failure {
                    ends[index].failure = failure
                } else if case .close = ends[index].request.action {
                    ends[index].failure = part.closeFailure
                }
                ends[index].part = nil
            }
            guard let appender = ends[index].request.appender else { continue }
            if let failure = ends[index].failure {
                appender.fail(failure)
            } else {
                appender.moveTail(ends[index].outcome.tail)
            }
        }
        defer { ends = [] }
        return ends
    }
}
