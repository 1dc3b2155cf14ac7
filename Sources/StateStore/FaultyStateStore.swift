import Synchronization

/// Wraps a store and injects what the seam allows to go wrong, decided by a seed, so that a failing run can be repeated.
public final class FaultyStateStore: StateStore {
    /// How often each fault strikes, each between 0 and 1.
    public struct Rates: Sendable {
        /// The write is applied and `unknown` is thrown: a lost acknowledgement.
        public var unknownApplied: Double
        /// The write is not applied and `unknown` is thrown.
        public var unknownNotApplied: Double
        /// Nothing is done and `unavailable` is thrown, by reads too.
        public var unavailable: Double
        /// The call is delayed, by up to `longestDelay`, before or after it takes effect.
        public var delay: Double
        /// Upper bound of a delay.
        public var longestDelay: Duration

        /// No faults unless told.
        public init(
            unknownApplied: Double = 0,
            unknownNotApplied: Double = 0,
            unavailable: Double = 0,
            delay: Double = 0,
            longestDelay: Duration = .milliseconds(2)
        ) {
            self.unknownApplied = unknownApplied
            self.unknownNotApplied = unknownNotApplied
            self.unavailable = unavailable
            self.delay = delay
            self.longestDelay = longestDelay
        }
    }

    /// What one call meets.
    private enum Fault { case none, unknownApplied, unknownNotApplied, unavailable }

    private struct Plan {
        var fault: Fault
        var before: Duration
        var after: Duration
    }

    private struct Dice {
        var state: UInt64
        var rates: Rates
        var injected = 0

        /// SplitMix64, as a number from 0 up to 1.
        mutating func roll() -> Double {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return Double((mixed ^ (mixed >> 31)) >> 11) / Double(1 << 53)
        }
    }

    private let base: any StateStore
    private let dice: Mutex<Dice>

    /// Wraps `base`. The same seed and the same order of calls give the same faults.
    public init(_ base: any StateStore, seed: UInt64, rates: Rates) {
        self.base = base
        dice = Mutex(Dice(state: seed, rates: rates))
    }

    /// How many errors were injected so far.
    public var injectedErrors: Int { dice.withLock { $0.injected } }

    /// Replaces the rates: a test ends its bad weather with `Rates()`.
    public func setRates(_ rates: Rates) { dice.withLock { $0.rates = rates } }

    private func plan(write: Bool) -> Plan {
        dice.withLock { dice in
            let rates = dice.rates
            let roll = dice.roll()
            var plan = Plan(fault: .none, before: .zero, after: .zero)
            if roll < rates.unavailable {
                plan.fault = .unavailable
            } else if write, roll < rates.unavailable + rates.unknownApplied {
                plan.fault = .unknownApplied
            } else if write, roll < rates.unavailable + rates.unknownApplied + rates.unknownNotApplied {
                plan.fault = .unknownNotApplied
            }
            if plan.fault != .none { dice.injected += 1 }
            if dice.roll() < rates.delay {
                let delay = rates.longestDelay * dice.roll()
                if dice.roll() < 0.5 { plan.before = delay } else { plan.after = delay }
            }
            return plan
        }
    }

    private func run<Answer: Sendable>(
        write: Bool,
        _ body: () async throws(StateStoreError) -> Answer
    ) async throws(StateStoreError) -> Answer {
        let plan = plan(write: write)
        await pause(plan.before)
        switch plan.fault {
        case .unavailable: throw .unavailable("injected: the store is away", retryAfter: .milliseconds(1))
        case .unknownNotApplied: throw .unknown("injected: the write was lost")
        case .none, .unknownApplied: break
        }
        let answer = try await body()
        await pause(plan.after)
        if plan.fault == .unknownApplied { throw .unknown("injected: the acknowledgement was lost") }
        return answer
    }

    /// A cancelled caller only waits less.
    private func pause(_ duration: Duration) async {
        if duration > .zero { try? await Task.sleep(for: duration) }
    }

    /// The value, or nil; see ``StateStore``.
    public func get(_ key: StateKey) async throws(StateStoreError) -> StateEntry? {
        try await run(write: false) { () async throws(StateStoreError) in try await base.get(key) }
    }

    /// Writes if the precondition holds; see ``StateStore``.
    @discardableResult
    public func put(
        _ key: StateKey,
        _ value: [UInt8],
        if precondition: StatePrecondition
    ) async throws(StateStoreError) -> Revision {
        try await run(write: true) { () async throws(StateStoreError) in
            try await base.put(key, value, if: precondition)
        }
    }

    /// Removes if the precondition holds; see ``StateStore``.
    public func delete(_ key: StateKey, if precondition: StatePrecondition) async throws(StateStoreError) {
        try await run(write: true) { () async throws(StateStoreError) in
            try await base.delete(key, if: precondition)
        }
    }

    /// Entries of a namespace in order; see ``StateStore``.
    public func scan(
        _ namespace: String,
        prefix: String,
        after: String?,
        limit: Int
    ) async throws(StateStoreError) -> [StateEntry] {
        try await run(write: false) { () async throws(StateStoreError) in
            try await base.scan(namespace, prefix: prefix, after: after, limit: limit)
        }
    }

    /// Changes in a namespace from now on; see ``StateStore``.
    public func watch(_ namespace: String) -> AsyncStream<StateChange> { base.watch(namespace) }
}
