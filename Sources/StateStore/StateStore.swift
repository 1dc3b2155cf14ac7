/// A key: a namespace such as `streams` or `table/leases`, and a name in it. Names sort by their UTF-8 bytes.
public struct StateKey: Hashable, Sendable, CustomStringConvertible {
    /// Groups keys that are scanned together.
    public var namespace: String
    /// The key within its namespace.
    public var name: String

    /// Names a value.
    public init(_ namespace: String, _ name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// For people.
    public var description: String { "\(namespace)/\(name)" }
}

/// Changes with every write of a key. Revisions of one store only ever grow, so a key that was deleted and written again
/// never repeats one.
public struct Revision: Hashable, Sendable, Comparable {
    /// The engine's number, 1 or more.
    public var rawValue: UInt64

    /// Wraps an engine's number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Orders by age.
    public static func < (lhs: Revision, rhs: Revision) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// A stored value with its revision.
public struct StateEntry: Sendable, Equatable {
    /// Where it stands.
    public var key: StateKey
    /// Opaque bytes, up to 4 MiB.
    public var value: [UInt8]
    /// Of its latest write.
    public var revision: Revision

    /// A stored value.
    public init(key: StateKey, value: [UInt8], revision: Revision) {
        self.key = key
        self.value = value
        self.revision = revision
    }
}

/// What must hold for a write to happen.
public enum StatePrecondition: Sendable, Equatable {
    /// Always.
    case none
    /// The key has no value.
    case absent
    /// The key's value is still the one of this revision.
    case revision(Revision)
}

/// What a store can refuse; the set is closed.
public enum StateStoreError: Error, Sendable, Equatable {
    /// The precondition does not hold; `current` is the revision there is, nil when there is no value.
    case conflict(current: Revision?)
    /// Nothing was written; try again after the delay.
    case unavailable(String, retryAfter: Duration)
    /// The value may or may not have been written: read it.
    case unknown(String)
    /// The value is larger than the store takes, in bytes.
    case tooLarge(limit: Int)
    /// Stored bytes can't be trusted.
    case corrupt(String)
}

/// One change, as `watch` reports it.
public enum StateChange: Sendable, Equatable {
    /// Written.
    case put(StateEntry)
    /// Removed.
    case delete(StateKey)
}

/// Small values under names, each written by compare-and-set. One of the two seams a replicated engine stands behind.
/// There is no transaction over several keys: one value holds what must change together.
///
/// Implementations pass `StateStoreContract`. A write that returned is durable.
public protocol StateStore: Sendable {
    /// The value, or nil. Sees every write that has returned.
    func get(_ key: StateKey) async throws(StateStoreError) -> StateEntry?
    /// Writes if the precondition holds; returns the new revision. Throws `conflict` otherwise.
    @discardableResult
    func put(
        _ key: StateKey,
        _ value: [UInt8],
        if precondition: StatePrecondition
    ) async throws(StateStoreError) -> Revision
    /// Removes if the precondition holds. Removing what is not there succeeds under `none`.
    func delete(_ key: StateKey, if precondition: StatePrecondition) async throws(StateStoreError)
    /// Entries of a namespace whose names start with `prefix` and sort after `after`, sorted, at most `limit`.
    func scan(
        _ namespace: String,
        prefix: String,
        after: String?,
        limit: Int
    ) async throws(StateStoreError) -> [StateEntry]
    /// Changes in a namespace from now on, in order. A slow reader's stream ends; it then scans and watches again.
    func watch(_ namespace: String) -> AsyncStream<StateChange>
}
