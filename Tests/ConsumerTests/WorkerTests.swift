import Logging
import Synchronization
import Testing

@testable import Consumer

/// A stream in memory behind `ShardReader`.
private final class MemoryStream: ShardReader {
    private struct State {
        var stream = SimulatedStreamValue()
        var isGone = false
    }

    private let state = Mutex(State())

    func change(_ body: @Sendable (inout SimulatedStreamValue) -> Void) { state.withLock { body(&$0.stream) } }
    func vanish() { state.withLock { $0.isGone = true } }

    private func look<T: Sendable>(_ body: (SimulatedStreamValue) -> T) throws(ShardReadError) -> T {
        let answer: T? = state.withLock { $0.isGone ? nil : body($0.stream) }
        guard let answer else { throw .streamGone }
        return answer
    }

    func shards() async throws(ShardReadError) -> [ListedShard] { try look { $0.listed } }

    func iterator(shard: String, at position: ReadPosition) async throws(ShardReadError) -> String {
        try look { stream in
            switch position {
            case .trimHorizon, .atTimestamp: "0"
            case .latest: String(stream.records[shard]?.count ?? 0)
            case .at(let number): String((Int(number) ?? 0) - 1000)
            case .after(let number): String((Int(number) ?? 0) - 999)
            }
        }
    }

    func read(shard: String, iterator: String, limit: Int) async throws(ShardReadError) -> RecordPage {
        try look { stream in
            let all = stream.records[shard] ?? []
            let start = Int(iterator) ?? 0
            let page = Array(all[min(start, all.count)...].prefix(min(limit, 50)))
            let isEnd = stream.closed[shard] != nil && start + page.count >= all.count
            return RecordPage(
                records: page,
                nextIterator: isEnd ? nil : String(start + page.count),
                millisBehindLatest: start + page.count < all.count ? 10 : 0,
                children: isEnd ? stream.closed[shard] ?? [] : []
            )
        }
    }
}

private struct SimulatedStreamValue: Sendable {
    var records: [String: [ConsumedRecord]] = [:]
    var parents: [String: Set<String>] = [:]
    var closed: [String: Set<String>] = [:]

    mutating func add(_ id: String, parents: Set<String> = [], records count: Int) {
        records[id] = (0..<count).map {
            ConsumedRecord(sequenceNumber: String(1000 + $0), partitionKey: id, data: [], arrivalMilliseconds: 0)
        }
        self.parents[id] = parents
        for parent in parents { closed[parent, default: []].insert(id) }
    }

    var listed: [ListedShard] {
        records.keys.map { ListedShard(id: $0, parents: parents[$0] ?? [], isClosed: closed[$0] != nil) }
    }
}

/// Notes what was handled, by whom; fails as often as asked.
private final class NotingHandler: RecordHandler {
    let seen = Mutex<[String]>([])
    private let failures: Mutex<Int>
    private let pause: Duration

    init(failures: Int = 0, pause: Duration = .zero) {
        self.failures = Mutex(failures)
        self.pause = pause
    }

    struct Refused: Error {}

    func handle(_ records: [ConsumedRecord], shard: ShardContext, attempt: Int) async throws {
        if pause > .zero { try await Task.sleep(for: pause) }
        let fails = failures.withLock { failures in
            failures -= 1
            return failures >= 0
        }
        if fails { throw Refused() }
        seen.withLock { $0 += records.map { "\(shard.shard) \($0.sequenceNumber)" } }
    }

    var count: Int { seen.withLock { $0.count } }
}

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

private func worker(
    _ name: String,
    _ store: any LeaseStore,
    _ stream: MemoryStream,
    _ handler: any RecordHandler,
    change: (inout WorkerConfiguration) -> Void = { _ in }
) -> Worker {
    var configuration = WorkerConfiguration(applicationName: "app", stream: "s", workerID: name)
    configuration.leases = LeaseSettings(failoverTime: .seconds(2))
    configuration.leases.takeInterval = .milliseconds(200)
    configuration.shards.idleTime = .milliseconds(20)
    configuration.shards.parentPollTime = .milliseconds(20)
    change(&configuration)
    var policy = BatchPolicy()
    policy.size = 10
    policy.initialBackoff = .milliseconds(5)
    return Worker(
        configuration: configuration,
        store: store,
        reader: stream,
        handlers: BatchHandlers(handler, policy: policy, logger: quiet),
        logger: quiet
    )
}

private func eventually(_ condition: @Sendable () async -> Bool) async -> Bool {
    for _ in 0..<1500 {
        if await condition() { return true }
        do { try await Task.sleep(for: .milliseconds(20)) } catch { return false }
    }
    return false
}

@Suite("The worker, over leases and a stream in memory")
struct WorkerTests {
    @Test("a worker handles every record in order, checkpoints, and gives its leases and leadership back")
    func alone() async throws {
        let store = MemoryLeaseStore()
        let stream = MemoryStream()
        stream.change { for shard in ["a", "b", "c"] { $0.add(shard, records: 120) } }
        let handler = NotingHandler(failures: 3)
        let worker = worker("one", store, stream, handler)
        let running = Task { try await worker.run() }
        #expect(await eventually { handler.count == 360 })
        await worker.stop()
        try await running.value
        for shard in ["a", "b", "c"] {
            let own = handler.seen.withLock { $0.filter { $0.hasPrefix(shard) } }
            #expect(own == (0..<120).map { "\(shard) \(1000 + $0)" })
            #expect(store.read(shard)?.checkpoint == .sequence("1119"))
            #expect(store.read(shard)?.owner == nil)
        }
        #expect(store.readLeader() == nil)
    }

    @Test("a stopped worker's successor goes on behind the checkpoint, with nothing twice")
    func successor() async throws {
        let store = MemoryLeaseStore()
        let stream = MemoryStream()
        stream.change { $0.add("a", records: 300) }
        let handler = NotingHandler(pause: .milliseconds(15))
        let first = worker("one", store, stream, handler)
        let running = Task { try await first.run() }
        #expect(await eventually { handler.count >= 50 })
        await first.stop()
        try await running.value
        let second = worker("two", store, stream, handler)
        let again = Task { try await second.run() }
        #expect(await eventually { handler.count >= 300 })
        await second.stop()
        try await again.value
        #expect(handler.seen.withLock { $0 } == (0..<300).map { "a \(1000 + $0)" })
    }

    @Test("two workers share the shards, and each record is handled")
    func sharing() async throws {
        let store = MemoryLeaseStore()
        let stream = MemoryStream()
        stream.change { for shard in ["a", "b", "c", "d"] { $0.add(shard, records: 10) } }
        let handler = NotingHandler()
        let workers = ["one", "two"].map { worker($0, store, stream, handler) }
        let running = workers.map { worker in Task { try await worker.run() } }
        let isShared = await eventually {
            let owners = store.readAll().compactMap(\.owner)
            return owners.count == 4 && owners.count { $0 == "one" } == 2
        }
        #expect(isShared)
        #expect(await eventually { Set(handler.seen.withLock { $0 }).count == 40 })
        for worker in workers { await worker.stop() }
        for task in running { try await task.value }
    }

    @Test("a split shard is finished before its children begin")
    func split() async throws {
        let store = MemoryLeaseStore()
        let stream = MemoryStream()
        stream.change {
            $0.add("a", records: 100)
            $0.add("b", parents: ["a"], records: 100)
            $0.add("c", parents: ["a"], records: 100)
            $0.add("d", parents: ["b", "c"], records: 100)
        }
        let handler = NotingHandler()
        let worker = worker("one", store, stream, handler)
        let running = Task { try await worker.run() }
        #expect(await eventually { handler.count == 400 })
        await worker.stop()
        try await running.value
        let order = handler.seen.withLock { $0.map { $0.prefix(1) } }
        #expect(order.prefix(100).allSatisfy { $0 == "a" })
        #expect(order.suffix(100).allSatisfy { $0 == "d" })
        #expect(["a", "b", "c"].allSatisfy { store.read($0)?.checkpoint == .shardEnd })
        #expect(store.read("a")?.children == ["b", "c"])
    }

    @Test("a robbed worker stops its handler and stores nothing more")
    func robbed() async throws {
        let store = MemoryLeaseStore()
        let stream = MemoryStream()
        stream.change { $0.add("a", records: 10) }
        let handler = NotingHandler(pause: .seconds(60))
        let worker = worker("one", store, stream, handler)
        let running = Task { try await worker.run() }
        #expect(await eventually { await worker.progress.shardsOwned == 1 })
        let lease = try #require(store.read("a"))
        // The thief's name stays, and moves no counter: another lease must expire before it is taken back.
        #expect(store.apply("a", counter: lease.counter, .take(by: "thief", switches: 1)))
        #expect(await eventually { await worker.progress.shardsOwned == 0 })
        #expect(store.read("a")?.checkpoint == .trimHorizon)
        #expect(handler.count == 0)
        await worker.stop()
        try await running.value
    }

    @Test("a command that doesn't end is abandoned after the grace, and its lease given back without a checkpoint")
    func grace() async throws {
        let store = MemoryLeaseStore()
        let stream = MemoryStream()
        stream.change { $0.add("a", records: 10) }
        let handler = NotingHandler(pause: .seconds(60))
        let worker = worker("one", store, stream, handler) { $0.shutdownGrace = .milliseconds(300) }
        let running = Task { try await worker.run() }
        #expect(await eventually { await worker.progress.shardsOwned == 1 })
        let start = ContinuousClock.now
        await worker.stop()
        try await running.value
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(store.read("a")?.checkpoint == .trimHorizon)
        #expect(store.read("a")?.owner == nil)
    }

    @Test("a stream that isn't there, or goes away, ends the worker with a clear error")
    func streamGone() async throws {
        let stream = MemoryStream()
        stream.change { $0.add("a", records: 10) }
        let handler = NotingHandler()
        let first = worker("one", MemoryLeaseStore(), stream, handler)
        let running = Task { try await first.run() }
        #expect(await eventually { handler.count == 10 })
        stream.vanish()
        await #expect(throws: WorkerError.streamGone("s")) { try await running.value }
        await #expect(throws: WorkerError.streamGone("s")) {
            try await worker("two", MemoryLeaseStore(), stream, handler).run()
        }
    }
}
