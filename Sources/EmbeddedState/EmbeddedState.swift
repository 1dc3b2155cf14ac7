import GRDB
import StateStore
import Synchronization

/// The state store of one machine: a SQLite file in WAL mode. A write that returned is fsynced. Writes that arrive while
/// a group is being synced share the next group's one transaction and one sync, each with its own precondition.
///
/// A full or failing disk makes calls throw `unavailable`; when it recovers, so does the store, without being reopened.
public final class EmbeddedState: StateStore {
    private let path: String
    private let pool: DatabasePool
    private let queue = WriteQueue()
    private let broadcast: StateBroadcast
    private let lock: StateFileLock
    /// The highest revision ever handed out; only the writer's queue moves it on. It does not fall back when a group fails,
    /// so a revision that may have reached the disk is not given twice.
    private let lastRevision: Mutex<UInt64>

    /// Opens or creates the file; its folder must exist. Throws `unavailable` when another process has it open or the
    /// disk refuses, `corrupt` when it is no intact state database.
    public convenience init(path: String) throws(StateStoreError) {
        try self.init(path: path, watchBuffer: 1024)
    }

    /// As `init(path:)`. A watcher that lags by more than `watchBuffer` changes is cut off.
    public init(path: String, watchBuffer: Int) throws(StateStoreError) {
        self.path = path
        broadcast = StateBroadcast(buffer: watchBuffer)
        lock = try StateFileLock(for: path)
        var configuration = Configuration()
        configuration.label = "millrace.state"
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(5)
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            let revision = try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try db.inTransaction(.immediate) {
                    try StateTable.prepare(db)
                    return .commit
                }
                return try StateTable.lastRevision(db)
            }
            lastRevision = Mutex(revision)
        } catch {
            throw StateErrors.beforeCommit(error, path: path)
        }
        try StateFileLock.syncFolder(of: path)
    }

    /// Finishes the writes under way and closes the file. Later calls throw `unavailable`; watchers' streams end.
    /// Throws `unavailable` when SQLite can't close.
    public func close() throws(StateStoreError) {
        guard queue.close() else { return }
        do {
            // Groups run on the writer's serial queue, so behind this empty access none is left.
            pool.writeWithoutTransaction { _ in }
            try pool.close()
        } catch {
            throw StateErrors.beforeCommit(error, path: path)
        }
        broadcast.finish()
        lock.release()
    }

    /// The value, or nil; see ``StateStore``.
    public func get(_ key: StateKey) async throws(StateStoreError) -> StateEntry? {
        try await read { db in try StateTable.get(db, key) }
    }

    /// Entries of a namespace in order; see ``StateStore``.
    public func scan(
        _ namespace: String,
        prefix: String,
        after: String?,
        limit: Int
    ) async throws(StateStoreError) -> [StateEntry] {
        try await read { db in try StateTable.scan(db, namespace, prefix: prefix, after: after, limit: limit) }
    }

    /// Changes in a namespace from now on; see ``StateStore``.
    public func watch(_ namespace: String) -> AsyncStream<StateChange> { broadcast.watch(namespace) }

    /// Writes if the precondition holds; see ``StateStore``.
    @discardableResult
    public func put(
        _ key: StateKey,
        _ value: [UInt8],
        if precondition: StatePrecondition
    ) async throws(StateStoreError) -> Revision {
        guard value.count <= StateLimits.valueBytes else { throw .tooLarge(limit: StateLimits.valueBytes) }
        guard let revision = try await write(key, .put(value), precondition) else {
            preconditionFailure("a put was answered as a delete")
        }
        return revision
    }

    /// Removes if the precondition holds; see ``StateStore``.
    public func delete(_ key: StateKey, if precondition: StatePrecondition) async throws(StateStoreError) {
        _ = try await write(key, .delete, precondition)
    }

    /// Reads a snapshot that holds every group committed so far. Not cut short by the caller's cancellation.
    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StateStoreError) -> Value {
        let path = path
        let outcome: Result<Value, StateStoreError> = await withCheckedContinuation { answer in
            pool.asyncRead { database in
                do {
                    answer.resume(returning: .success(try body(try database.get())))
                } catch {
                    answer.resume(returning: .failure(StateErrors.beforeCommit(error, path: path)))
                }
            }
        }
        return try outcome.get()
    }

    private func write(
        _ key: StateKey,
        _ change: PendingWrite.Change,
        _ precondition: StatePrecondition
    ) async throws(StateStoreError) -> Revision? {
        let path = path
        let outcome: PendingWrite.Outcome = await withCheckedContinuation { answer in
            let write = PendingWrite(key: key, change: change, precondition: precondition, answer: answer)
            switch queue.add(write) {
            case .queued: break
            case .startDraining: pool.asyncWriteWithoutTransaction { db in self.drain(db) }
            case .closed:
                let closed = StateStoreError.unavailable(
                    "the state database \(path) is closed",
                    retryAfter: .seconds(1)
                )
                answer.resume(returning: .failure(closed))
            }
        }
        return try outcome.get()
    }

    /// Commits group after group until no write waits; runs on the writer's queue.
    private func drain(_ db: Database) {
        while let group = queue.takeGroup() {
            let result = commit(group, db)
            for change in result.changes { broadcast.send(change) }
            for (write, outcome) in zip(group, result.outcomes) { write.answer.resume(returning: outcome) }
        }
    }

    private struct GroupResult {
        var outcomes: [PendingWrite.Outcome] = []
        var changes: [StateChange] = []
    }

    private func commit(_ group: [PendingWrite], _ db: Database) -> GroupResult {
        var result = GroupResult()
        var isCommitting = false
        do {
            try db.inTransaction(.immediate) {
                for write in group { try apply(write, db, &result) }
                guard !result.changes.isEmpty else { return .rollback }
                try StateTable.setLastRevision(db, lastRevision.withLock { $0 })
                isCommitting = true
                return .commit
            }
            return result
        } catch {
            let failure =
                isCommitting
                ? StateErrors.duringCommit(error, path: path) : StateErrors.beforeCommit(error, path: path)
            return GroupResult(outcomes: group.map { _ in .failure(failure) })
        }
    }

    private func apply(_ write: PendingWrite, _ db: Database, _ result: inout GroupResult) throws {
        let current = try StateTable.revision(db, write.key)
        guard write.precondition.holds(for: current) else {
            result.outcomes.append(.failure(.conflict(current: current)))
            return
        }
        switch write.change {
        case .put(let value):
            let entry = StateEntry(key: write.key, value: value, revision: nextRevision())
            try StateTable.put(db, entry)
            result.changes.append(.put(entry))
            result.outcomes.append(.success(entry.revision))
        case .delete:
            if current != nil {
                try StateTable.delete(db, write.key)
                result.changes.append(.delete(write.key))
            }
            result.outcomes.append(.success(nil))
        }
    }

    private func nextRevision() -> Revision {
        lastRevision.withLock { revision in
            revision += 1
            return Revision(rawValue: revision)
        }
    }
}
