import AWSProtocol
import AccessPolicy
import FirehoseTypes
import Logging
import ShardLog
import SinkFiles
import StateStore
import Synchronization

/// Delivery streams: Firehose's control operations, and the tasks that bring records into files.
///
/// A delivery stream is two rows of the state store, `delivery-streams/<region>/<name>` and
/// `delivery-progress/<region>/<name>/<incarnation>`, and a task that reads a data stream: the one it was given, or a
/// hidden one that holds direct puts. Only durable records are ever read. Each record is in exactly one finished file,
/// across crashes; records of one shard are in it in order.
public final class DeliveryService: Sendable {
    let access: any StreamAccess
    let state: any StateStore
    let account: String
    let clock: DeliveryClock
    let logger: Logger
    let folders: SinkFolders
    let progressStore: ProgressStore
    /// Rows as they were last seen, for the put path.
    let cache = Mutex<[StateKey: (config: DeliveryConfig, revision: Revision)]>([:])
    let running = Mutex<[String: DeliveryWorker]>([:])

    /// - Parameters:
    ///   - sinkRoot: the folder that holds one folder for each bucket.
    ///   - account: twelve digits.
    ///   - fault: for tests: refuses system calls.
    public init(
        access: any StreamAccess,
        state: any StateStore,
        sinkRoot: String,
        account: String,
        clock: DeliveryClock = .system,
        logger: Logger,
        fault: SinkFault? = nil
    ) {
        self.access = access
        self.state = state
        self.account = account
        self.clock = clock
        self.logger = logger
        folders = SinkFolders(root: sinkRoot, fault: fault)
        progressStore = ProgressStore(state: state)
    }

    /// Carries out a control operation and returns the answer's JSON. Throws AWS's errors; `UnknownOperationException` for
    /// operations that are not here, `PutRecord` and `PutRecordBatch` among them; `AccessDeniedException` where the caller's
    /// policies don't allow it. Without a caller everything is allowed.
    public func handle(
        operation: String,
        region: String,
        body: [UInt8],
        caller: Caller? = nil
    ) async throws(AWSError) -> [UInt8] {
        let gate = DeliveryGate(service: self, operation: operation, region: region, caller: caller)
        switch operation {
        case "CreateDeliveryStream":
            let request = try CreateDeliveryStreamRequest(body: body)
            try await gate.check(creating: request)
            return try await create(request, region: region)
        case "DeleteDeliveryStream":
            let request = try DeleteDeliveryStreamRequest(body: body)
            try await gate.check(request.name)
            return try await delete(request, region: region)
        case "DescribeDeliveryStream":
            let request = try DescribeDeliveryStreamRequest(body: body)
            try await gate.check(request.name)
            return try await describe(request, region: region)
        case "ListDeliveryStreams":
            let request = try ListDeliveryStreamsRequest(body: body)
            try gate.checkAccount()
            return try await list(request, region: region)
        case "UpdateDestination":
            let request = try UpdateDestinationRequest(body: body)
            try await gate.check(request.name)
            return try await update(request, region: region)
        default: throw AWSError("UnknownOperationException", "")
        }
    }

    /// The hidden stream that takes a delivery stream's direct puts. Throws `ResourceNotFoundException` when there is no
    /// such delivery stream or it is not active, `InvalidArgumentException` when it reads a data stream,
    /// `AccessDeniedException` where the caller's policies don't allow `operation`.
    public func hiddenStream(
        deliveryStream name: String,
        region: String,
        for operation: String = "PutRecord",
        caller: Caller? = nil
    ) async throws(AWSError) -> StreamHandle {
        try await DeliveryGate(service: self, operation: operation, region: region, caller: caller).check(name)
        let key = DeliveryConfig.key(name, region)
        var config = cache.withLock { $0[key]?.config }
        if config == nil { config = try await row(name, region)?.config }
        guard let config, config.status == .active, let stream = config.stream else {
            throw FirehoseErrors.notFound(name, account: account)
        }
        guard config.source == nil else { throw FirehoseErrors.notDirectPut(name) }
        return stream
    }

    /// How each delivery stream that has a task here is doing, by region and name.
    public func status() -> [DeliveryStatus] {
        let workers = running.withLock { Array($0.values) }
        let now = clock.now()
        return workers.map { $0.monitor.status(now: now) }.sorted { ($0.region, $0.name) < ($1.region, $1.name) }
    }

    /// The row with its revision, nil when there is none.
    func row(_ name: String, _ region: String) async throws(AWSError) -> (config: DeliveryConfig, revision: Revision)? {
        do throws(StateStoreError) {
            guard let entry = try await state.get(DeliveryConfig.key(name, region)) else { return nil }
            let config = try DeliveryConfig(entry)
            remember(config, entry.revision)
            return (config, entry.revision)
        } catch {
            throw failure(error)
        }
    }

    /// Keeps the newest; changes may be seen late.
    func remember(_ config: DeliveryConfig, _ revision: Revision) {
        cache.withLock { cache in
            if let known = cache[config.key], known.revision > revision { return }
            cache[config.key] = (config, revision)
        }
    }

    func forget(_ key: StateKey) { cache.withLock { $0[key] = nil } }

    /// The store's words go to the log, AWS's to the client.
    func failure(_ error: StateStoreError) -> AWSError {
        logger.error("state store refused", metadata: ["error": "\(error)"])
        if case .unavailable(let reason, _) = error { return .unavailable("The catalog can't be used now: \(reason)") }
        return .internalFailure
    }
}

extension DeliveryConfig {
    func objectName() throws(SinkError) -> ObjectName {
        ObjectName(
            prefix: try SinkPrefix(destination.prefix ?? ""),
            stream: name,
            version: String(version),
            fileExtension: destination.fileExtension ?? ""
        )
    }
}
