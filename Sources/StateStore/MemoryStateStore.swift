import Synchronization

/// A store that keeps everything in memory: the seam's reference implementation, and what tests of upper layers use.
/// Nothing survives the process.
public final class MemoryStateStore: StateStore {
    /// UTF-8 of a name: `String` itself compares by canonical equivalence, which would merge keys.
    private struct Name: Hashable, Comparable {
        var bytes: [UInt8]

        init(_ text: String) { bytes = Array(text.utf8) }

        static func < (lhs: Name, rhs: Name) -> Bool { lhs.bytes.lexicographicallyPrecedes(rhs.bytes) }
    }

    private struct Namespace {
        var names: [Name] = []
        var entries: [Name: StateEntry] = [:]

        /// Index of the first name that is not below `name`.
        func lowerBound(_ name: Name) -> Int {
            var low = 0
            var high = names.count
            while low < high {
                let middle = (low + high) / 2
                if names[middle] < name { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    private struct State {
        var namespaces: [Name: Namespace] = [:]
        var revision: UInt64 = 0
    }

    private let state = Mutex(State())
    private let broadcast: StateBroadcast

    /// An empty store. A watcher that lags by more than `watchBuffer` changes is cut off.
    public init(watchBuffer: Int = 1024) {
        broadcast = StateBroadcast(buffer: watchBuffer)
    }

    /// The value, or nil; see ``StateStore``.
    public func get(_ key: StateKey) async throws(StateStoreError) -> StateEntry? {
        state.withLock { $0.namespaces[Name(key.namespace)]?.entries[Name(key.name)] }
    }

    /// Writes if the precondition holds; see ``StateStore``.
    @discardableResult
    public func put(
        _ key: StateKey,
        _ value: [UInt8],
        if precondition: StatePrecondition
    ) async throws(StateStoreError) -> Revision {
        guard value.count <= StateLimits.valueBytes else { throw .tooLarge(limit: StateLimits.valueBytes) }
        let outcome: Result<Revision, StateStoreError> = state.withLock { state in
            var namespace = state.namespaces[Name(key.namespace)] ?? Namespace()
            state.namespaces[Name(key.namespace)] = nil
            defer { state.namespaces[Name(key.namespace)] = namespace }
            let name = Name(key.name)
            let current = namespace.entries[name]?.revision
            guard precondition.holds(for: current) else { return .failure(.conflict(current: current)) }
            state.revision += 1
            let entry = StateEntry(key: key, value: value, revision: Revision(rawValue: state.revision))
            if current == nil { namespace.names.insert(name, at: namespace.lowerBound(name)) }
            namespace.entries[name] = entry
            broadcast.send(.put(entry))
            return .success(entry.revision)
        }
        return try outcome.get()
    }

    /// Removes if the precondition holds; see ``StateStore``.
    public func delete(_ key: StateKey, if precondition: StatePrecondition) async throws(StateStoreError) {
        let outcome: Result<Void, StateStoreError> = state.withLock { state in
            let name = Name(key.name)
            let current = state.namespaces[Name(key.namespace)]?.entries[name]?.revision
            guard precondition.holds(for: current) else { return .failure(.conflict(current: current)) }
            guard current != nil, var namespace = state.namespaces[Name(key.namespace)] else { return .success(()) }
            state.namespaces[Name(key.namespace)] = nil
            state.revision += 1
            namespace.entries[name] = nil
            namespace.names.remove(at: namespace.lowerBound(name))
            if !namespace.names.isEmpty { state.namespaces[Name(key.namespace)] = namespace }
            broadcast.send(.delete(key))
            return .success(())
        }
        try outcome.get()
    }

    /// Entries of a namespace in order; see ``StateStore``.
    public func scan(
        _ namespace: String,
        prefix: String,
        after: String?,
        limit: Int
    ) async throws(StateStoreError) -> [StateEntry] {
        state.withLock { state in
            guard let namespace = state.namespaces[Name(namespace)] else { return [] }
            let prefix = Name(prefix)
            var index = namespace.lowerBound(prefix)
            if let after {
                let name = Name(after)
                var behind = namespace.lowerBound(name)
                if behind < namespace.names.count, namespace.names[behind] == name { behind += 1 }
                index = max(index, behind)
            }
            var found: [StateEntry] = []
            while index < namespace.names.count, found.count < limit,
                namespace.names[index].bytes.starts(with: prefix.bytes)
            {
                if let entry = namespace.entries[namespace.names[index]] { found.append(entry) }
                index += 1
            }
            return found
        }
    }

    /// Changes in a namespace from now on; see ``StateStore``.
    public func watch(_ namespace: String) -> AsyncStream<StateChange> { broadcast.watch(namespace) }
}
