import ShardLog

/// One thing that is to happen to a shard, in the order in which it was asked for, and how it ended.
///
/// `@unchecked`: it is in the hands of one thread after the other: the caller's, the commit thread's, the completer's.
final class LogRequest: @unchecked Sendable {
    enum Action: Sendable {
        /// Frames, whose positions the caller is told.
        case append([AppendFrame], @Sendable (Result<[Position], ShardLogError>) -> Void)
        case appendOne(AppendFrame, @Sendable (Result<Position, ShardLogError>) -> Void)
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
    /// Whose request it is, where it is an owner's.
    let appender: EmbeddedAppender?
    let action: Action
    /// While it is committed.
    var part: CommitPart?
    /// Of appended frames; of one alone `position`.
    var positions: [Position] = []
    var position = Position.start
    var outcome = Outcome()
    var failure: ShardLogError?

    init(
        _ shard: ShardFolder,
        by appender: EmbeddedAppender? = nil,
        _ action: Action
    ) {
        self.shard = shard
        self.appender = appender
        self.action = action
    }

    var isAppend: Bool {
        switch action {
        case .append, .appendOne: true
        case .close, .open, .trim: false
        }
    }

    /// Tells the caller how it ended.
    func tell() {
        switch action {
        case .append(_, let completion):
            if let failure { completion(.failure(failure)) } else { completion(.success(positions)) }
        case .appendOne(_, let completion):
            if let failure { completion(.failure(failure)) } else { completion(.success(position)) }
        case .close(let completion), .open(_, let completion), .trim(_, let completion):
            if let failure { completion(.failure(failure)) } else { completion(.success(outcome)) }
        }
    }
}
