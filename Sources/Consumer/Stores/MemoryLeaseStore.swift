import Synchronization

/// A lease store in memory: for tests, and for programs of one process that need no other.
public final class MemoryLeaseStore: LeaseStore {
    private struct State {
        var leases: [String: Lease] = [:]
        var leader: LeaderRecord?
    }

    private let state = Mutex(State())

    /// An empty store.
    public init() {}

    public func prepare() async {}

    public func leases() async -> [Lease] { readAll() }

    public func lease(_ key: String) async -> Lease? { read(key) }

    public func create(_ lease: Lease) async -> Bool { insert(lease) }

    public func update(_ key: String, counter: Int64, _ change: LeaseChange) async -> Bool {
        apply(key, counter: counter, change)
    }

    public func delete(_ key: String, counter: Int64) async -> Bool { remove(key, counter: counter) }

    public func leader() async -> LeaderRecord? { readLeader() }

    public func replaceLeader(_ expected: LeaderRecord?, with record: LeaderRecord?) async -> Bool {
        swapLeader(expected, with: record)
    }

    /// ``leases()`` without waiting.
    public func readAll() -> [Lease] { state.withLock { Array($0.leases.values) } }

    /// ``lease(_:)`` without waiting.
    public func read(_ key: String) -> Lease? { state.withLock { $0.leases[key] } }

    /// ``create(_:)`` without waiting.
    public func insert(_ lease: Lease) -> Bool {
        state.withLock { state in
            guard state.leases[lease.key] == nil else { return false }
            state.leases[lease.key] = lease
            return true
        }
    }

    /// ``update(_:counter:_:)`` without waiting.
    public func apply(_ key: String, counter: Int64, _ change: LeaseChange) -> Bool {
        state.withLock { state in
            guard let lease = state.leases[key], lease.counter == counter else { return false }
            state.leases[key] = change.applied(to: lease)
            return true
        }
    }

    /// ``delete(_:counter:)`` without waiting.
    public func remove(_ key: String, counter: Int64) -> Bool {
        state.withLock { state in
            guard state.leases[key]?.counter == counter else { return false }
            state.leases[key] = nil
            return true
        }
    }

    /// ``leader()`` without waiting.
    public func readLeader() -> LeaderRecord? { state.withLock { $0.leader } }

    /// ``replaceLeader(_:with:)`` without waiting.
    public func swapLeader(_ expected: LeaderRecord?, with record: LeaderRecord?) -> Bool {
        state.withLock { state in
            guard state.leader == expected else { return false }
            state.leader = record
            return true
        }
    }
}
