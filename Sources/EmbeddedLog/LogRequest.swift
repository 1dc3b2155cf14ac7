import ShardLog

/// One thing that is to happen to a shard, in the order in which it was asked for, and how it ended. Most are appends of single
/// frames: thousands of them stand in one array, and none of them needs memory of its own.
struct LogRequest: Sendable {
    /// Whose request it is, where it is an owner's. An owner knows its shard.
    var appender: EmbeddedAppender?
    /// Of an append of one frame: the frame until it has its place, and who is told.
    var frame: AppendFrame?
    var caller: (any AppendCaller)?
    let tag: Int
    /// Anything else.
    let call: LogCall?
    /// Of the group's parts, while it is committed: which.
    var part = 0
    /// Of the frame.
    var position = Position.start
    /// Of the shard behind it.
    var tail = Position.start

    init(_ appender: EmbeddedAppender, _ frame: consuming AppendFrame, tag: Int, caller: any AppendCaller) {
        self.appender = appender
        self.frame = frame
        self.caller = caller
        self.tag = tag
        call = nil
    }

    init(_ shard: ShardFolder, by appender: EmbeddedAppender? = nil, _ action: LogCall.Action) {
        self.appender = appender
        tag = 0
        call = LogCall(shard, action)
    }

    var shard: ShardFolder {
        if let appender { return appender.shard }
        guard let call else { preconditionFailure("a request without an owner is a call") }
        return call.shard
    }

    var isAppend: Bool { call?.isAppend ?? true }

    /// Tells the caller how it ended.
    mutating func tell(_ failure: ShardLogError?) {
        if let caller = caller.take() {
            caller.appended(tag, failure.map { .failure($0) } ?? .success(position))
        } else {
            call?.tell(failure, tail)
        }
    }
}

/// What a request is for that is no append of a single frame.
///
/// `@unchecked`: it is in the hands of one thread after the other: the caller's, the commit thread's, the completer's.
final class LogCall: @unchecked Sendable {
    enum Action: Sendable {
        /// Frames, whose positions the caller is told.
        case append([AppendFrame], @Sendable (Result<[Position], ShardLogError>) -> Void)
        case close(Completion)
        /// Makes a new owner, when the tail is where it is expected.
        case open(expecting: Position?, Completion)
        /// Positions below are shown no more.
        case trim(first: UInt64, Completion)
    }

    typealias Completion = @Sendable (Result<Outcome, ShardLogError>) -> Void

    /// What came of it.
    struct Outcome: Sendable {
        /// The tail behind it.
        var tail = Position.start
        /// Of an opened shard.
        var owner = 0
    }

    let shard: ShardFolder
    let action: Action
    /// Of appended frames.
    var positions: [Position] = []
    /// Of an opened shard.
    var owner = 0

    init(_ shard: ShardFolder, _ action: Action) {
        self.shard = shard
        self.action = action
    }

    var isAppend: Bool { if case .append = action { true } else { false } }

    func tell(_ failure: ShardLogError?, _ tail: Position) {
        switch action {
        case .append(_, let completion):
            if let failure { completion(.failure(failure)) } else { completion(.success(positions)) }
        case .close(let completion), .open(_, let completion), .trim(_, let completion):
            if let failure {
                completion(.failure(failure))
            } else {
                completion(.success(Outcome(tail: tail, owner: owner)))
            }
        }
    }
}

/// Requests that were committed, and why some of them failed.
struct EndedRequests: Sendable {
    var requests: ContiguousArray<LogRequest> = []
    /// By the request's index.
    var failures: [Int: ShardLogError] = [:]

    /// Tells all callers, in order.
    mutating func tell() {
        for index in requests.indices { requests[index].tell(failures.isEmpty ? nil : failures[index]) }
    }
}
