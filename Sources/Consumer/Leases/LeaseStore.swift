/// Where an application keeps its leases and its leader: the seam between the algorithm and a lease table.
///
/// Reads see every write that was answered before them. Errors thrown mean that the outcome is not known; a refused
/// condition is an answer, not an error.
public protocol LeaseStore: Sendable {
    /// Makes the tables if they are missing and waits until they serve.
    func prepare() async throws
    /// Every lease of the application, in no order.
    func leases() async throws -> [Lease]
    /// One lease; nil when there is none.
    func lease(_ key: String) async throws -> Lease?
    /// Adds a row; false when one of this key is there already.
    func create(_ lease: Lease) async throws -> Bool
    /// Applies a change if the row's counter is still `counter`; false when it isn't, or the row is gone.
    func update(_ key: String, counter: Int64, _ change: LeaseChange) async throws -> Bool
    /// Removes a row if its counter is still `counter`; false when it isn't.
    func delete(_ key: String, counter: Int64) async throws -> Bool
    /// The leader's row; nil when there is none.
    func leader() async throws -> LeaderRecord?
    /// Replaces the leader's row if it is still what `expected` says (nil: no row); nil as the new row removes it. False
    /// when the condition fails.
    func replaceLeader(_ expected: LeaderRecord?, with record: LeaderRecord?) async throws -> Bool
}

/// The leader's row in the coordinator table: a lock that its holder keeps alive by changing `version`.
public struct LeaderRecord: Sendable, Equatable {
    /// The worker that leads.
    public var owner: String
    /// How long a watcher must see `version` unchanged before it may take over.
    public var leaseDuration: Duration
    /// Differs after every heartbeat.
    public var version: String
    /// Whether the holder gave the lock back but left its row.
    public var isReleased: Bool

    /// A row.
    public init(owner: String, leaseDuration: Duration, version: String, isReleased: Bool = false) {
        self.owner = owner
        self.leaseDuration = leaseDuration
        self.version = version
        self.isReleased = isReleased
    }
}
