import AccessPolicy
import ShardLog
import StateStore
import StreamModel
import Synchronization

/// The open shards' writers, sorted by hash range: finding one is a binary search.
struct Routes: Sendable {
    /// What an answer tells of a shard.
    struct Place {
        let created: UInt64
        let id: ShardID
    }

    private let starts: [UInt128]
    let writers: [ShardWriter]
    /// Of each writer, as its traffic: apart, for its own memory is that of the threads which append.
    let places: [Place]
    let traffic: [ShardTraffic]

    init(_ writers: [ShardWriter]) {
        self.writers = writers.sorted { $0.shard.range.start < $1.shard.range.start }
        starts = self.writers.map(\.shard.range.start.value)
        places = self.writers.map { Place(created: $0.shard.created, id: $0.shard.id) }
        traffic = self.writers.map(\.traffic)
    }

    /// The index of the writer that takes the key.
    func index(of key: HashKey) -> Int {
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= key.value { low = middle } else { high = middle }
        }
        return low
    }
}

/// One stream in use: its catalog row as it was last written, and the writers of its open shards.
final class Stream: Sendable {
    struct State: Sendable {
        var record: StreamRecord
        var revision: Revision
        var routes: Routes
        /// The row's resource policies, ready to be judged by.
        var policies: ResourcePolicies
    }

    let key: StreamKey
    let uid: String
    /// Held by whoever changes the row or opens a shard.
    let control = AsyncMutex()
    private let state: Mutex<State>

    private let nextSnapshot = Mutex<Int64?>(nil)
    /// Enhanced fan-out: who is pushed its records.
    let subscriptions = SubscriptionList()
    let traffic: StreamTraffic
    let meters = StreamMeters()

    init(_ record: StreamRecord, revision: Revision, routes: Routes, traffic: StreamTraffic) {
        self.traffic = traffic
        key = record.key
        uid = record.uid
        let policies = ResourcePolicies(record)
        state = Mutex(State(record: record, revision: revision, routes: routes, policies: policies))
    }

    private let turn = Atomic<Int>(0)

    /// Turns for so many records that the stream itself places; returns the first one's. They go round the open shards.
    func takeTurns(_ count: Int) -> Int {
        turn.wrappingAdd(count, ordering: .relaxed).oldValue & Int(UInt32.max)
    }

    var current: State { state.withLock { $0 } }
    var record: StreamRecord { state.withLock { $0.record } }
    var routes: Routes { state.withLock { $0.routes } }
    /// On the stream itself.
    var policy: PolicyDocument? { state.withLock { $0.policies.stream } }

    /// On a consumer, named as its ARN ends: `NAME:SECONDS`.
    func policy(ofConsumer name: String) -> PolicyDocument? { state.withLock { $0.policies.consumers[name] } }

    /// True once an hour: the producers of quiet shards are snapshotted too, long before their records are trimmed.
    func isSnapshotDue(now: Int64) -> Bool {
        nextSnapshot.withLock { next in
            guard let due = next else {
                next = now + 3_600_000
                return false
            }
            if now < due { return false }
            next = now + 3_600_000
            return true
        }
    }

    /// Whether it takes and gives records.
    var isServing: Bool {
        switch record.status {
        case .active, .updating: true
        case .creating, .deleting: false
        }
    }

    func update(_ record: StreamRecord, revision: Revision, routes: Routes? = nil) {
        state.withLock { state in
            if !state.policies.are(of: record) { state.policies = ResourcePolicies(record) }
            state.record = record
            state.revision = revision
            if let routes { state.routes = routes }
        }
        subscriptions.wakeAll()
    }

    func ref(_ shard: ShardID) -> ShardRef { ShardRef(stream: uid, index: shard.index) }
}
