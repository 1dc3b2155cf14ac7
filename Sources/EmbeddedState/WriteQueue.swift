import StateStore
import Synchronization

/// One write that waits for its group.
struct PendingWrite: Sendable {
    enum Change: Sendable {
        case put([UInt8])
        case delete
    }

    /// What a write came to: the revision of a put, nil for a delete.
    typealias Outcome = Result<Revision?, StateStoreError>

    var key: StateKey
    var change: Change
    var precondition: StatePrecondition
    var answer: CheckedContinuation<Outcome, Never>

    var bytes: Int {
        if case .put(let value) = change { value.count } else { 0 }
    }
}

/// Collects writes while the group before them is being synced; the next group takes all of them.
final class WriteQueue: Sendable {
    /// Bounds of one group: a group is one transaction, and its writers wait for all of it.
    static let groupWrites = 1024
    static let groupBytes = 16 << 20

    private struct State {
        var waiting: [PendingWrite] = []
        var isDraining = false
        var isClosed = false
    }

    enum Enqueued { case startDraining, queued, closed }

    private let state = Mutex(State())

    /// Adds a write; the caller that gets `startDraining` sees to it that groups are taken until there is none.
    func add(_ write: PendingWrite) -> Enqueued {
        state.withLock { state in
            if state.isClosed { return .closed }
            state.waiting.append(write)
            if state.isDraining { return .queued }
            state.isDraining = true
            return .startDraining
        }
    }

    /// The next group, in order of arrival; nil ends the draining.
    func takeGroup() -> [PendingWrite]? {
        state.withLock { state in
            if state.waiting.isEmpty {
                state.isDraining = false
                return nil
            }
            var count = 0
            var bytes = 0
            while count < state.waiting.count, count < Self.groupWrites {
                bytes += state.waiting[count].bytes
                if count > 0, bytes > Self.groupBytes { break }
                count += 1
            }
            let group = Array(state.waiting[..<count])
            state.waiting.removeFirst(count)
            return group
        }
    }

    /// Refuses later writes; true the first time.
    func close() -> Bool {
        state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
    }
}
