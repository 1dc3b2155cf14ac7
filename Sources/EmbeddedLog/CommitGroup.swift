import RecordBatch
import ShardLog

/// What a group does to one shard.
///
/// Of the commit thread alone, but while it is made durable: then each part is in the hands of one thread of the pool, which may
/// be the journal's, and the commit thread waits for them.
final class CommitPart: @unchecked Sendable {
    let shard: ShardFolder
    /// The active segment as it is after the group.
    private(set) var active: Segment?
    /// All segments, the last one as `active` was when it became that. Usually the shard's own array, which is not copied for
    /// a group that changes nothing but the active one's size.
    private var list: [Segment]
    /// Whether segments came or went.
    private var isReshaped = false
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
        list = state.segments
        active = state.segments.last
        durableTail = state.tail
        first = state.first
        owner = state.owner
    }

    var isDirect: Bool { frameBytes >= directBytes }
    var isJournaled: Bool { trims || !frames.isEmpty && !isDirect }
    var isSealed: Bool { wasClosed || closes }
    var changesTail: Bool { !frames.isEmpty || closes }
    var tail: UInt64 { active?.end ?? 0 }

    /// All segments as they are after the group.
    var segments: [Segment] {
        guard let active else { return [] }
        return Array(list.dropLast()) + [active]
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
    func append(_ frame: AppendFrame, segmentBytes: UInt64) -> Position {
        var segment = active ?? Segment(base: 0)
        if active == nil || segment.size >= segmentBytes {
            segment = Segment(base: tail)
            reshape { $0.append(segment) }
        }
        let position = segment.end
        segment.size += UInt64(frame.bytes.count)
        active = segment
        frames.append(
            RecentFrames.Entry(position: position, arrival: frame.arrivalMilliseconds, bytes: frame.bytes)
        )
        frameBytes += frame.bytes.count
        return Position(rawValue: position)
    }

    /// Changes which segments there are.
    private func reshape<Result>(_ body: (inout [Segment]) -> Result) -> Result {
        if let active { list[list.count - 1] = active }
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
            list = []
            state.segments[state.segments.count - 1] = active
        }
        for frame in frames {
            guard let base = base(of: frame.position) else { continue }
            state.note(arrival: frame.arrival, at: frame.position, in: base)
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

/// Requests that are made durable together.
final class CommitGroup {
    private(set) var parts: [CommitPart] = []
    private var requests: [LogRequest]

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
        self.requests = requests
        parts.reserveCapacity(requests.count)
        for request in requests {
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
                request.part = part
                if let refusal, request.isAppend { throw refusal }
                try Self.plan(request, part, configuration)
            } catch {
                // What its owner has appended behind it in this group fails, too.
                request.appender?.fail(error)
                request.failure = error
            }
        }
    }

    /// Bytes that the journal's entries will take, about.
    var journaledBytes: Int {
        parts.reduce(0) { $0 + ($1.isJournaled ? 224 + ($1.isDirect ? 0 : $1.frameBytes) : 0) }
    }

    private static func plan(
        _ request: LogRequest,
        _ part: CommitPart,
        _ configuration: EmbeddedLog.Configuration
    ) throws(ShardLogError) {
        if let appender = request.appender { try check(appender, part) }
        switch request.action {
        case .append(let frames, _):
            // All of them or none.
            for frame in frames { try CommitPart.check(frame) }
            request.positions = frames.map { part.append($0, segmentBytes: configuration.segmentBytes) }
        case .appendOne(let frame, _):
            try CommitPart.check(frame)
            request.position = part.append(frame, segmentBytes: configuration.segmentBytes)
        case .close: part.close()
        case .open(let expected, _):
            if part.isSealed { throw ShardLogError.closed }
            let tail = Position(rawValue: part.tail)
            if let expected, expected != tail { throw ShardLogError.conflict(actual: tail) }
            part.owner += 1
            request.outcome.owner = part.owner
        case .trim(let first, _): part.trim(first: first)
        }
        request.outcome.tail = Position(rawValue: part.tail)
    }

    private static func check(_ appender: EmbeddedAppender, _ part: CommitPart) throws(ShardLogError) {
        if let failure = appender.failure { throw failure }
        if part.isSealed { throw ShardLogError.closed }
        guard appender.owner == part.owner else {
            throw ShardLogError.conflict(actual: Position(rawValue: part.tail))
        }
    }

    /// The requests in order, each with how it ended. Nothing that comes later is planned before its appender knows.
    func end() -> [LogRequest] {
        for request in requests {
            if request.failure == nil, let part = request.part {
                if let failure = part.failure {
                    request.failure = failure
                } else if part.closes, case .close = request.action {
                    request.failure = part.closeFailure
                }
            }
            request.part = nil
            guard let appender = request.appender else { continue }
            if let failure = request.failure {
                appender.fail(failure)
            } else {
                appender.moveTail(request.outcome.tail)
            }
        }
        defer { requests = [] }
        return requests
    }
}
