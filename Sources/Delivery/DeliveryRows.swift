import SinkFiles
import StateStore
import Synchronization

/// Progress rows.
struct ProgressStore: Sendable {
    let state: any StateStore

    /// Throws `StateStoreError`; a row that is not there is `corrupt`, since creating a delivery stream writes it first.
    func get(_ config: DeliveryConfig) async throws(StateStoreError) -> (DeliveryProgress, Revision?) {
        let key = DeliveryProgress.key(config)
        guard let entry = try await state.get(key) else {
            throw .corrupt("delivery progress row \(key) is not there, so what was delivered is not known")
        }
        return (try DeliveryProgress(entry), entry.revision)
    }

    /// Writes over the revision last seen. Throws `StateStoreError`.
    func put(
        _ progress: DeliveryProgress,
        for config: DeliveryConfig,
        over revision: Revision?
    ) async throws(StateStoreError) -> Revision {
        try await state.put(
            DeliveryProgress.key(config),
            progress.encoded(),
            if: revision.map { .revision($0) } ?? .absent
        )
    }

    /// Removes the row. Throws `StateStoreError`.
    func delete(_ config: DeliveryConfig) async throws(StateStoreError) {
        try await state.delete(DeliveryProgress.key(config), if: .none)
    }
}

/// The folders of buckets, each made once so that it remembers which of its folders are durable.
final class SinkFolders: Sendable {
    private let root: String
    private let fault: SinkFault?
    private let folders = Mutex<[String: SinkFolder]>([:])

    init(root: String, fault: SinkFault?) {
        self.root = root
        self.fault = fault
    }

    subscript(bucket: String) -> SinkFolder {
        folders.withLock { folders in
            if let folder = folders[bucket] { return folder }
            let folder = SinkFolder(root: "\(root)/\(bucket)", fault: fault)
            folders[bucket] = folder
            return folder
        }
    }
}

/// Collects one delivery stream's status.
final class DeliveryMonitor: Sendable {
    private struct State {
        var status: DeliveryStatus
        var oldestArrival: Int64?
    }

    private let state: Mutex<State>

    init(name: String, region: String) {
        state = Mutex(State(status: DeliveryStatus(name: name, region: region)))
    }

    var oldestArrival: Int64? {
        get { state.withLock(\.oldestArrival) }
        set { state.withLock { $0.oldestArrival = newValue } }
    }

    func update(_ body: (inout DeliveryStatus) -> Void) { state.withLock { body(&$0.status) } }

    func delivered(_ progress: DeliveryProgress, clearsError: Bool = true) {
        update {
            $0.recordsDelivered = progress.records
            $0.filesFinalized = progress.files
            $0.bytesDelivered = progress.bytes
            $0.bytesBuffered = 0
            if clearsError { $0.lastError = nil }
        }
    }

    func status(now: Int64) -> DeliveryStatus {
        state.withLock { state in
            var status = state.status
            status.millisBehind = state.oldestArrival.map { max(0, now - $0) } ?? 0
            return status
        }
    }
}
