import Synchronization

/// Wraps a log and injects what the seam allows to go wrong, decided by a seed, so that a failing run can be repeated.
public final class FaultyShardLog: ShardLog {
    /// How often each fault strikes, each between 0 and 1.
    public struct Rates: Sendable {
        /// The frames are appended and `unknown` is answered: a lost acknowledgement.
        public var unknownApplied: Double
        /// The frames are not appended and `unknown` is answered.
        public var unknownNotApplied: Double
        /// Nothing is done and `unavailable` is answered, by reads too.
        public var unavailable: Double
        /// `bounds` answers what it answered before, and `read` shows nothing: a replica that lags.
        public var stale: Double
        /// The call takes up to `longestDelay` more.
        public var delay: Double
        /// Upper bound of a delay.
        public var longestDelay: Duration

        /// No faults unless told.
        public init(
            unknownApplied: Double = 0,
            unknownNotApplied: Double = 0,
            unavailable: Double = 0,
            stale: Double = 0,
            delay: Double = 0,
            longestDelay: Duration = .milliseconds(2)
        ) {
            self.unknownApplied = unknownApplied
            self.unknownNotApplied = unknownNotApplied
            self.unavailable = unavailable
            self.stale = stale
            self.delay = delay
            self.longestDelay = longestDelay
        }
    }

    private struct State {
        var random: UInt64
        var rates: Rates
        var injected = 0
        var seen: [ShardRef: LogBounds] = [:]

        /// SplitMix64, as a number from 0 up to 1.
        mutating func roll() -> Double {
            random &+= 0x9E37_79B9_7F4A_7C15
            var mixed = random
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return Double((mixed ^ (mixed >> 31)) >> 11) / Double(1 << 53)
        }

        mutating func strikes(_ rate: Double) -> Bool {
            let strikes = roll() < rate
            if strikes { injected += 1 }
            return strikes
        }
    }

    private let base: any ShardLog
    private let state: Mutex<State>
    private static let away = ShardLogError.unavailable("injected: the log is away", retryAfter: .milliseconds(1))

    /// Wraps `base`. The same seed and the same order of calls give the same faults.
    public init(_ base: any ShardLog, seed: UInt64, rates: Rates) {
        self.base = base
        state = Mutex(State(random: seed, rates: rates))
    }

    /// How many faults were injected so far.
    public var injectedFaults: Int { state.withLock { $0.injected } }

    /// Replaces the rates: a test ends its bad weather with `Rates()`.
    public func setRates(_ rates: Rates) { state.withLock { $0.rates = rates } }

    /// Comes before every call but an append.
    private func weather() async throws(ShardLogError) {
        let (isAway, delay) = state.withLock { state in
            (state.strikes(state.rates.unavailable), Self.delay(&state))
        }
        await Self.pause(delay)
        if isAway { throw Self.away }
    }

    private static func delay(_ state: inout State) -> Duration {
        state.roll() < state.rates.delay ? state.rates.longestDelay * state.roll() : .zero
    }

    /// A cancelled caller only waits less.
    private static func pause(_ duration: Duration) async {
        if duration > .zero { try? await Task.sleep(for: duration) }
    }

    public func create(_ shard: ShardRef) async throws(ShardLogError) {
        try await weather()
        try await base.create(shard)
    }

    public func delete(_ shard: ShardRef) async throws(ShardLogError) {
        try await weather()
        try await base.delete(shard)
    }

    public func list() async throws(ShardLogError) -> [ShardRef] {
        try await weather()
        return try await base.list()
    }

    public func bounds(_ shard: ShardRef) async throws(ShardLogError) -> LogBounds {
        try await weather()
        let bounds = try await base.bounds(shard)
        return state.withLock { state in
            if state.strikes(state.rates.stale), let seen = state.seen[shard] { return seen }
            state.seen[shard] = bounds
            return bounds
        }
    }

    public func openAppender(
        _ shard: ShardRef,
        expecting tail: Position?
    ) async throws(ShardLogError) -> any ShardAppender {
        try await weather()
        return Appender(self, try await base.openAppender(shard, expecting: tail))
    }

    public func read(_ shard: ShardRef, from position: Position, maxBytes: Int) async throws(ShardLogError) -> FrameSlab
    {
        try await weather()
        if state.withLock({ $0.strikes($0.rates.stale) }) {
            return FrameSlab(bytes: .none, frames: [], next: position, isAtEnd: false)
        }
        return try await base.read(shard, from: position, maxBytes: maxBytes)
    }

    public func wait(_ shard: ShardRef, past position: Position, upTo limit: Duration) async {
        await base.wait(shard, past: position, upTo: limit)
    }

    public func position(
        _ shard: ShardRef,
        arrivedAtOrAfter arrivalMilliseconds: Int64
    ) async throws(ShardLogError) -> Position {
        try await weather()
        return try await base.position(shard, arrivedAtOrAfter: arrivalMilliseconds)
    }

    public func position(
        _ shard: ShardRef,
        atOrAfter position: Position
    ) async throws(ShardLogError) -> Position {
        try await weather()
        return try await base.position(shard, atOrAfter: position)
    }

    public func trim(_ shard: ShardRef, arrivedBefore arrivalMilliseconds: Int64) async throws(ShardLogError) {
        try await weather()
        try await base.trim(shard, arrivedBefore: arrivalMilliseconds)
    }

    // MARK: - Appending

    public func together(_ body: () -> Void) { base.together(body) }

    private enum Fate { case none, unknownApplied, unknownNotApplied, unavailable }

    private func fate() -> (Fate, Duration) {
        state.withLock { state in
            let (roll, rates) = (state.roll(), state.rates)
            var fate = Fate.none
            if roll < rates.unavailable {
                fate = .unavailable
            } else if roll < rates.unavailable + rates.unknownApplied {
                fate = .unknownApplied
            } else if roll < rates.unavailable + rates.unknownApplied + rates.unknownNotApplied {
                fate = .unknownNotApplied
            }
            if fate != .none { state.injected += 1 }
            return (fate, Self.delay(&state))
        }
    }

    /// Answers in the order of calls, late, and not always truly. A failure ends it, as the seam has it.
    private final class Appender: ShardAppender {
        typealias Completion = @Sendable (Result<[Position], ShardLogError>) -> Void

        private let log: FaultyShardLog
        private let base: any ShardAppender
        private let hasFailed = Mutex(false)
        private let answers: AsyncStream<@Sendable () async -> Void>.Continuation

        init(_ log: FaultyShardLog, _ base: any ShardAppender) {
            self.log = log
            self.base = base
            let (stream, continuation) = AsyncStream.makeStream(of: (@Sendable () async -> Void).self)
            answers = continuation
            Task { for await answer in stream { await answer() } }
        }

        deinit { answers.finish() }

        var tail: Position { base.tail }

        func append(_ frames: [AppendFrame], completion: @escaping Completion) {
            let (fate, delay) = log.fate()
            let goesOn = hasFailed.withLock { hasFailed in
                defer { hasFailed = hasFailed || fate != .none }
                return !hasFailed
            }
            guard goesOn, fate == .none || fate == .unknownApplied else {
                let error =
                    goesOn && fate == .unavailable ? FaultyShardLog.away : .unknown("injected: the frames were lost")
                answers.yield { completion(.failure(error)) }
                return
            }
            let (stream, outcome) = AsyncStream.makeStream(of: Result<[Position], ShardLogError>.self)
            base.append(frames) { result in
                outcome.yield(result)
                outcome.finish()
            }
            answers.yield {
                for await result in stream {
                    await FaultyShardLog.pause(delay)
                    completion(
                        fate == .none ? result : .failure(.unknown("injected: the acknowledgement was lost"))
                    )
                }
            }
        }

        func close() async throws(ShardLogError) {
            if hasFailed.withLock({ $0 }) { throw .unknown("an earlier append failed") }
            try await log.weather()
            try await base.close()
        }
    }
}
