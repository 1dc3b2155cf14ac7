/// One worker's part in choosing the leader. A value: it says which write to try and is told how it went.
///
///     follower --(no row, released, or unchanged for its duration)--> trying --(written)--> leader
///        ^                                                              |                      |
///        +---------------------------(refused)--------------------------+----(refused, or not  +
///                                                                             renewed in time)
public struct LeaderElection: Sendable {
    /// A write to try: replace `expected` by `record`.
    public struct Attempt: Sendable, Equatable {
        /// The row as it was seen; nil when there was none.
        public var expected: LeaderRecord?
        /// The row to store; nil removes it.
        public var record: LeaderRecord?
    }

    private enum State: Sendable {
        case follower(seen: LeaderRecord?, since: Duration)
        case leader(LeaderRecord, renewed: Duration)
    }

    /// The worker's id.
    public let worker: String
    /// The duration this worker promises to keep.
    public let leaseDuration: Duration
    private var state: State
    private var random: SeededRandom

    /// A follower that has seen nothing.
    public init(worker: String, leaseDuration: Duration, random: SeededRandom, now: Duration) {
        self.worker = worker
        self.leaseDuration = leaseDuration
        self.random = random
        state = .follower(seen: nil, since: now)
    }

    /// Whether this worker leads: it holds the row and its last successful heartbeat was sent within the lease duration.
    public func isLeader(now: Duration) -> Bool {
        if case .leader(_, let renewed) = state { now - renewed < leaseDuration } else { false }
    }

    /// Whether the row must be read before ``attempt(seeing:now:)``: a follower looks, a leader knows.
    public func needsLook(now: Duration) -> Bool { !isLeader(now: now) }

    /// What to try now, given the row as just read (ignored for a leader). Nil: nothing, look again later.
    public mutating func attempt(seeing row: LeaderRecord?, now: Duration) -> Attempt? {
        if case .leader(let record, _) = state, isLeader(now: now) {
            var next = record
            next.version = random.uuid()
            return Attempt(expected: record, record: next)
        }
        if case .leader = state { state = .follower(seen: nil, since: now) }
        guard case .follower(let seen, let since) = state else { return nil }
        let mine = LeaderRecord(owner: worker, leaseDuration: leaseDuration, version: random.uuid())
        guard let row else { return Attempt(expected: nil, record: mine) }
        // A row of this worker's own name is a heartbeat whose answer was lost, or an earlier life.
        if row.isReleased || row.owner == worker { return Attempt(expected: row, record: mine) }
        guard let seen, seen.version == row.version else {
            state = .follower(seen: row, since: now)
            return nil
        }
        return now - since >= row.leaseDuration ? Attempt(expected: row, record: mine) : nil
    }

    /// The attempt was sent at `sent` and stored (true) or refused (false). One of unknown outcome is not reported: the next
    /// look or heartbeat tells.
    public mutating func finished(_ attempt: Attempt, stored: Bool, sent: Duration) {
        if stored, let record = attempt.record {
            state = .leader(record, renewed: sent)
        } else {
            state = .follower(seen: nil, since: sent)
        }
    }

    /// The write that gives leadership back, if this worker has it.
    public func release() -> Attempt? {
        if case .leader(let record, _) = state { Attempt(expected: record, record: nil) } else { nil }
    }
}
