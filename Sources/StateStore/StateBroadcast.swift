import Synchronization

/// Limits that every engine keeps.
public enum StateLimits {
    /// The largest value, in bytes.
    public static let valueBytes = 4 << 20
}

extension StatePrecondition {
    /// Whether a write may happen on a key whose value has this revision, nil for no value.
    public func holds(for current: Revision?) -> Bool {
        switch self {
        case .none: true
        case .absent: current == nil
        case .revision(let expected): current == expected
        }
    }
}

/// Hands committed changes to the watchers of their namespace. Engines call `send` in commit order.
public final class StateBroadcast: Sendable {
    private struct Watchers {
        var nextID = 0
        var byNamespace: [String: [Int: AsyncStream<StateChange>.Continuation]] = [:]
    }

    private let buffer: Int
    private let watchers = Mutex(Watchers())

    /// Without watchers. Each watcher may lag by `buffer` changes; then its stream ends.
    public init(buffer: Int = 1024) {
        self.buffer = buffer
    }

    /// A new watcher of a namespace: sees every change sent from now on.
    public func watch(_ namespace: String) -> AsyncStream<StateChange> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: StateChange.self,
            bufferingPolicy: .bufferingOldest(buffer)
        )
        let id = watchers.withLock { watchers in
            watchers.nextID += 1
            watchers.byNamespace[namespace, default: [:]][watchers.nextID] = continuation
            return watchers.nextID
        }
        continuation.onTermination = { [weak self] _ in self?.remove(id, from: namespace) }
        return stream
    }

    /// Hands one change on. Never waits.
    public func send(_ change: StateChange) {
        let namespace =
            switch change {
            case .put(let entry): entry.key.namespace
            case .delete(let key): key.namespace
            }
        // Finishing a stream calls `remove`, so nothing is yielded under the lock.
        guard let targets = watchers.withLock({ $0.byNamespace[namespace] }) else { return }
        for continuation in targets.values {
            if case .dropped = continuation.yield(change) { continuation.finish() }
        }
    }

    /// Ends every watcher's stream.
    public func finish() {
        let all = watchers.withLock { watchers in
            defer { watchers.byNamespace = [:] }
            return watchers.byNamespace.values.flatMap(\.values)
        }
        for continuation in all { continuation.finish() }
    }

    private func remove(_ id: Int, from namespace: String) {
        watchers.withLock { watchers in
            watchers.byNamespace[namespace]?[id] = nil
            if watchers.byNamespace[namespace]?.isEmpty == true { watchers.byNamespace[namespace] = nil }
        }
    }
}
