import AWSProtocol
import AccessPolicy
import Foundation
import Glibc
import Logging
import ShardLog
import SinkFiles
import StateStore
import StreamKeys
import Synchronization
import Testing

@testable import Delivery

/// Streams whose shards a test makes.
final class TestAccess: StreamAccess {
    let testLog = TestLog()
    let streams = Mutex<[String: (handle: StreamHandle, shards: [SourceShard])]>([:])
    var log: any ShardLog { testLog }
    let keys: KeyRing

    init(keys: KeySource = .none) {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.keys = KeyRing(keys, account: "000000000000", now: { 0 }, logger: logger)
    }

    /// Nobody but the account may read here.
    func authorizeReading(_ name: String, region: String, caller: Caller?) throws(AWSError) {
        try caller?.require(
            "kinesis:GetRecords",
            on: "arn:aws:kinesis:\(region):000000000000:stream/\(name)",
            account: "000000000000"
        )
    }

    func add(_ name: String, region: String = "us-east-1", shards: Int) async throws -> StreamHandle {
        let handle = StreamHandle(region: region, name: name, uid: "uid-\(name.hash.magnitude)")
        let refs = (0..<UInt32(shards)).map { ShardRef(stream: handle.uid, index: $0) }
        for ref in refs { try await testLog.create(ref) }
        streams.withLock { $0[name] = (handle, refs.map { SourceShard(ref: $0, parents: [], isClosed: false) }) }
        return handle
    }

    /// Seals the shard and adds two children.
    func split(_ name: String, _ parent: UInt32) async throws {
        let handle = try #require(streams.withLock { $0[name]?.handle })
        testLog.seal(ShardRef(stream: handle.uid, index: parent))
        let count = UInt32(try #require(streams.withLock { $0[name]?.shards.count }))
        for index in count..<count + 2 {
            let ref = ShardRef(stream: handle.uid, index: index)
            try await testLog.create(ref)
            streams.withLock { $0[name]?.shards.append(SourceShard(ref: ref, parents: [parent], isClosed: false)) }
        }
    }

    func stream(named name: String, region: String) async throws(AWSError) -> StreamHandle {
        guard let stream = streams.withLock({ $0[name]?.handle }), stream.region == region else {
            throw .notFound("Stream \(name) under account 000000000000 not found.")
        }
        return stream
    }

    func shards(of stream: StreamHandle) async throws(AWSError) -> [SourceShard] {
        guard let shards = streams.withLock({ $0[stream.name]?.shards }) else {
            throw .notFound("Stream \(stream.name) under account 000000000000 not found.")
        }
        return shards
    }

    func createHiddenStream(name: String, region: String, shards: Int) async throws(AWSError) -> StreamHandle {
        if let stream = streams.withLock({ $0[name]?.handle }) { return stream }
        do { return try await add(name, region: region, shards: shards) } catch { throw .internalFailure }
    }

    func deleteHiddenStream(_ stream: StreamHandle) async throws(AWSError) {
        _ = streams.withLock { $0.removeValue(forKey: stream.name) }
    }
}

/// Counts the steps of a program towards its death; dead, it reaches neither disk nor store any more.
final class Life: Sendable {
    private let left: Mutex<Int?>

    /// Dies at the step of this number, counting from 0; nil: lives on.
    init(steps: Int?) { left = Mutex(steps) }

    var isDead: Bool { left.withLock { $0 ?? 1 } < 0 }

    /// True when the program is dead, or dies now.
    func dies() -> Bool {
        left.withLock { left in
            guard let steps = left else { return false }
            left = max(-1, steps - 1)
            return steps <= 0
        }
    }
}

/// A store as a mortal program sees it. A write at the moment of death may have been applied.
final class MortalStore: StateStore {
    let base: any StateStore
    let life: Life
    let appliesLastWrite: Bool

    init(_ base: any StateStore, life: Life, appliesLastWrite: Bool) {
        self.base = base
        self.life = life
        self.appliesLastWrite = appliesLastWrite
    }

    private func live() throws(StateStoreError) {
        if life.dies() { throw .unavailable("dead", retryAfter: .zero) }
    }

    func get(_ key: StateKey) async throws(StateStoreError) -> StateEntry? {
        try live()
        return try await base.get(key)
    }

    func put(_ key: StateKey, _ value: [UInt8], if precondition: StatePrecondition) async throws(StateStoreError)
        -> Revision
    {
        let wasDead = life.isDead
        if life.dies() {
            if !wasDead, appliesLastWrite { try await base.put(key, value, if: precondition) }
            throw .unknown("dead")
        }
        return try await base.put(key, value, if: precondition)
    }

    func delete(_ key: StateKey, if precondition: StatePrecondition) async throws(StateStoreError) {
        try live()
        try await base.delete(key, if: precondition)
    }

    func scan(_ namespace: String, prefix: String, after: String?, limit: Int) async throws(StateStoreError)
        -> [StateEntry]
    {
        try live()
        return try await base.scan(namespace, prefix: prefix, after: after, limit: limit)
    }

    func watch(_ namespace: String) -> AsyncStream<StateChange> { base.watch(namespace) }
}

/// What outlives a program: streams, state, and a folder that is removed when the test is over.
final class World: Sendable {
    let access = TestAccess()
    let state: any StateStore = MemoryStateStore()
    let root: String

    init() throws {
        root = NSTemporaryDirectory() + "delivery-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: root) } catch { Issue.record("\(error)") }
    }

    /// `hurry` divides every pause.
    func service(
        life: Life = Life(steps: nil),
        appliesLastWrite: Bool = false,
        store: (any StateStore)? = nil,
        hurry: Int = 1,
        fault: SinkFault? = nil
    ) -> DeliveryService {
        var clock = DeliveryClock.system
        clock.sleep = { try await Task.sleep(for: $0 / hurry) }
        return DeliveryService(
            access: access,
            state: MortalStore(store ?? state, life: life, appliesLastWrite: appliesLastWrite),
            sinkRoot: root,
            account: "000000000000",
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            fault: { step, path in life.dies() ? EIO : fault?(step, path) ?? 0 }
        )
    }

    /// Runs a service until `condition` holds, at most 20 s; false when it did not.
    func run(_ service: DeliveryService, until condition: () async throws -> Bool) async throws -> Bool {
        let task = Task { try await service.run() }
        var holds = false
        for _ in 0..<4000 where !holds {
            holds = try await condition()
            if !holds { try await Task.sleep(for: .milliseconds(5)) }
        }
        task.cancel()
        try await task.value
        return holds
    }

    func files(finished: Bool = true) -> [String] {
        let all = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return all.filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(root)/\(name)", isDirectory: &isFolder)
                && !isFolder.boolValue && name.contains("/.inprogress/") != finished
        }.sorted()
    }

    func contents() throws -> [String] {
        try files().map { try String(contentsOfFile: "\(root)/\($0)", encoding: .utf8) }
    }

    /// The finished files' lines, file by file.
    func lines() throws -> [[String]] {
        try contents().map { $0.split(separator: "\n").map(String.init) }
    }

    func append(_ stream: StreamHandle, shard: UInt32 = 0, _ records: [String]) {
        access.testLog.append(ShardRef(stream: stream.uid, index: shard), records.map { Array($0.utf8) })
    }
}

extension DeliveryService {
    /// A request and its answer in JSON.
    func call(_ operation: String, _ json: String) async throws -> JSONValue {
        try JSONValue(parsing: try await handle(operation: operation, region: "us-east-1", body: Array(json.utf8)))
    }
}

func destination(
    bucket: String = "b",
    interval: Int = 0,
    size: Int = 1,
    prefix: String = "",
    delimiter: String? = "\\\\n",
    more: String = ""
) -> String {
    let processing =
        delimiter.map {
            """
            , "ProcessingConfiguration": {"Enabled": true, "Processors": [{"Type": "AppendDelimiterToRecord",
            "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\($0)"}]}]}
            """
        } ?? ""
    return """
        {"RoleARN": "arn:aws:iam::000000000000:role/x", "BucketARN": "arn:aws:s3:::\(bucket)", "Prefix": "\(prefix)",
        "BufferingHints": {"SizeInMBs": \(size), "IntervalInSeconds": \(interval)}\(processing)\(more)}
        """
}

func directPut(_ name: String = "d", _ destination: String = destination()) -> String {
    """
    {"DeliveryStreamName": "\(name)", "ExtendedS3DestinationConfiguration": \(destination)}
    """
}

func sourced(_ name: String = "d", stream: String = "s", _ destination: String = destination()) -> String {
    """
    {"DeliveryStreamName": "\(name)", "DeliveryStreamType": "KinesisStreamAsSource", "KinesisStreamSourceConfiguration":
    {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/\(stream)",
    "RoleARN": "arn:aws:iam::000000000000:role/x"}, "ExtendedS3DestinationConfiguration": \(destination)}
    """
}
