import ShardLog

/// One thing that is to happen to a shard, in the order in which it was asked for, and how it ended.
///
/// `@unchecked`: it is in the hands of one thread after the other: the caller's, the commit thread's, the completer's.
final class LogRequest: @unchecked Sendable {
    enum Action: Sendable {
        case append([AppendFrame], EmbeddedAppender, @Sendable (Result<[Position], ShardLogError>) -> Void)
        case close(EmbeddedAppender, Completion)
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
    /// While it is committed.
    var part: CommitPart?
    /// Of appended frames.
    var positions: [Position] = []
    var outcome = Outcome()
    var failure: ShardLogError?

    init(_ shard: ShardFolder, _ action: Action) {
        self.shard = shard
        self.action = action
    }

    /// Whose request it is.
    var appender: EmbeddedAppender? {
        switch action {
        case .append(_, let appender, _), .close(let appender, _): appender
        case .open, .trim: nil
        }
    }

    /// Tells the caller how it ended.
    func tell() {
        switch action {
        case .append(_, _, let completion):
            if let failure { completion(.failure(failure)) } else { completion(.success(positions)) }
        case .close(_, let completion), .open(_, let completion), .trim(_, let completion):
            if let failure { completion(.failure(failure)) } else { completion(.success(outcome)) }
        }
    }
}
