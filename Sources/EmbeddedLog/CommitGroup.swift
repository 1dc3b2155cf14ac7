import ShardLog

/// Requests that are made durable together.
final class CommitGroup {
    /// So many shards ahead memory is asked for: by then it is there, and still there.
    static let ahead = 6

    private(set) var parts: [CommitPart] = []
    private var ended: EndedRequests

    /// - Parameters:
    ///   - number: none that a group before it had.
    ///   - spare: parts of groups before it, which are used again.
    ///   - refusal: why nothing may be appended.
    init(
        _ requests: consuming ContiguousArray<LogRequest>,
        number: Int,
        _ configuration: EmbeddedLog.Configuration,
        directBytes: Int,
        spare: inout [CommitPart],
        refusal: ShardLogError?
    ) {
        ended = EndedRequests(requests: requests)
        parts.reserveCapacity(ended.requests.count)
        for index in ended.requests.indices {
            prefetch(behind: index)
            do throws(ShardLogError) {
                let shard = ended.requests[index].shard
                if shard.committing.group != number {
                    let part = spare.popLast() ?? CommitPart(shard)
                    try shard.with { state throws(ShardLogError) in
                        part.begin(shard, state, directBytes: directBytes, applyBytes: configuration.applyBytes)
                    }
                    shard.committing.group = number
                    shard.committing.part = parts.count
                    parts.append(part)
                }
                ended.requests[index].part = shard.committing.part
                let part = parts[shard.committing.part]
                if let refusal, ended.requests[index].isAppend { throw refusal }
                try Self.plan(&ended.requests[index], part, configuration)
            } catch {
                // What its owner has appended behind it in this group fails, too.
                ended.requests[index].appender?.fail(error)
                ended.failures[index] = error
            }
        }
    }

    /// Asks for the memory that planning later requests needs: for an owner first, and then for its shard.
    private func prefetch(behind index: Int) {
        let (near, far) = (index + Self.ahead, index + 2 * Self.ahead)
        if far < ended.requests.count { ended.requests[far].appender?.prefetch() }
        if near < ended.requests.count { ended.requests[near].shard.prefetch() }
    }

    /// Bytes that the journal's entries will take, about: a part has one as a rule, and a stream's name is short.
    var journaledBytes: Int {
        parts.reduce(0) { $0 + ($1.isJournaled ? 80 + ($1.isDirect ? 0 : $1.frameBytes) : 0) }
    }

    private static func plan(
        _ request: inout LogRequest,
        _ part: CommitPart,
        _ configuration: EmbeddedLog.Configuration
    ) throws(ShardLogError) {
        if let appender = request.appender { try check(appender, part) }
        if let frame = request.frame.take() {
            try CommitPart.check(frame)
            request.position = part.append(frame, segmentBytes: configuration.segmentBytes)
        } else if let call = request.call {
            try plan(call, part, configuration)
        }
        request.tail = Position(rawValue: part.tail)
    }

    private static func plan(
        _ call: LogCall,
        _ part: CommitPart,
        _ configuration: EmbeddedLog.Configuration
    ) throws(ShardLogError) {
        switch call.action {
        case .append(let frames, _):
            // All of them or none.
            for frame in frames { try CommitPart.check(frame) }
            call.positions = frames.map { part.append($0, segmentBytes: configuration.segmentBytes) }
        case .close: part.close()
        case .open(let expected, _):
            if part.isSealed { throw ShardLogError.closed }
            let tail = Position(rawValue: part.tail)
            if let expected, expected != tail { throw ShardLogError.conflict(actual: tail) }
            part.owner += 1
            call.owner = part.owner
        case .trim(let first, _): part.trim(first: first)
        }
    }

    private static func check(_ appender: EmbeddedAppender, _ part: CommitPart) throws(ShardLogError) {
        if let failure = appender.failure { throw failure }
        if part.isSealed { throw ShardLogError.closed }
        guard appender.owner == part.owner else {
            throw ShardLogError.conflict(actual: Position(rawValue: part.tail))
        }
    }

    /// The requests in order, each with how it ended. Nothing that comes later is planned before its appender knows.
    func end() -> EndedRequests {
        for index in ended.requests.indices {
            if ended.failures.isEmpty || ended.failures[index] == nil {
                let part = parts[ended.requests[index].part]
                if let failure = part.failure {
                    ended.failures[index] = failure
                } else if let failure = part.closeFailure, case .close? = ended.requests[index].call?.action {
                    ended.failures[index] = failure
                }
            }
            guard let appender = ended.requests[index].appender.take() else { continue }
            if !ended.failures.isEmpty, let failure = ended.failures[index] {
                appender.fail(failure)
            } else {
                appender.moveTail(ended.requests[index].tail)
            }
        }
        var result = EndedRequests()
        swap(&result, &ended)
        return result
    }
}
