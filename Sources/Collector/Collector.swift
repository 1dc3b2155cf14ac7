import AWSProtocol
import AccessPolicy
import Crypto
import KinesisTypes
import Logging
import RecordBatch
import ShardLog
import StateStore
import StreamKeys
import StreamModel
import Synchronization

/// The service: streams, shards and records over one `ShardLog` and one `StateStore`.
public final class Collector: Sendable {
    /// What a collector is told at its start.
    public struct Configuration: Sendable {
        /// Twelve digits, default `000000000000`.
        public var account: String
        /// Records a request may hold when it names its producer; plain clients have AWS's 500.
        public var maxRecordsPerProducerRequest: Int
        /// How long a stream stays CREATING, UPDATING or DELETING, and a consumer CREATING or DELETING. With zero, changes are
        /// whole when they are answered.
        public var transition: Duration
        /// The service's limits and quotas; nil: none but those of the machine, and shards never split or merge by
        /// themselves.
        public var limits: ServiceLimits?
        /// How subscriptions of enhanced fan-out behave in time.
        public var subscriptions: Subscriptions

        /// Defaults.
        public init(
            account: String = "000000000000",
            maxRecordsPerProducerRequest: Int = 10_000,
            transition: Duration = .zero,
            limits: ServiceLimits? = nil,
            subscriptions: Subscriptions = Subscriptions()
        ) {
            self.account = account
            self.maxRecordsPerProducerRequest = maxRecordsPerProducerRequest
            self.transition = transition
            self.limits = limits
            self.subscriptions = subscriptions
        }
    }

    /// The shards' logs.
    public let log: any ShardLog
    /// The catalog and what is kept beside it.
    public let state: any StateStore
    /// What frames are encrypted with and opened with.
    public let keys: KeyRing
    let configuration: Configuration
    let now: @Sendable () -> Int64
    let logger: Logger
    let iteratorSecret: SymmetricKey
    let controlCalls = ControlCalls()
    let streams = Mutex<[StreamKey: Stream]>([:])
    /// Held while a name is taken or given back.
    let catalog = AsyncMutex()

    /// Reads the catalog and finishes whatever was under way when the last collector stopped.
    ///
    /// - Parameters:
    ///   - keys: of encrypted streams; without, no stream can be encrypted.
    ///   - now: milliseconds since 1970.
    public static func open(
        log: any ShardLog,
        state: any StateStore,
        configuration: Configuration = Configuration(),
        keys: KeyRing? = nil,
        now: @escaping @Sendable () -> Int64,
        logger: Logger
    ) async throws -> Collector {
        let secret = try await iteratorSecret(state)
        let collector = Collector(
            log: log,
            state: state,
            keys: keys ?? KeyRing(.none, account: configuration.account, now: now, logger: logger),
            configuration: configuration,
            now: now,
            logger: logger,
            secret: secret
        )
        try await collector.loadCatalog()
        return collector
    }

    private init(
        log: any ShardLog,
        state: any StateStore,
        keys: KeyRing,
        configuration: Configuration,
        now: @escaping @Sendable () -> Int64,
        logger: Logger,
        secret: SymmetricKey
    ) {
        self.log = log
        self.state = state
        self.keys = keys
        self.configuration = configuration
        self.now = now
        self.logger = logger
        iteratorSecret = secret
    }

    /// Iterators outlive a restart, so their key is kept.
    private static func iteratorSecret(_ state: any StateStore) async throws(StateStoreError) -> SymmetricKey {
        let key = StateKey("collector", "iterator-secret")
        if let entry = try await state.get(key) { return SymmetricKey(data: entry.value) }
        let secret = SymmetricKey(size: .bits256)
        try await state.put(key, secret.withUnsafeBytes { Array($0) }, if: .absent)
        return secret
    }

    /// Records a request that names its producer may hold.
    public var maxRecordsPerProducerRequest: Int { configuration.maxRecordsPerProducerRequest }

    /// Carries out one Kinesis operation.
    public func kinesis(_ request: APIRequest) async throws(AWSError) -> APIAnswer {
        try await withinRate(request) { () async throws(AWSError) in try await answer(request) }
    }

    private func answer(_ request: APIRequest) async throws(AWSError) -> APIAnswer {
        if let answer = try await dataOperation(request) { return .body(answer) }
        if let answer = try await streamOperation(request) { return .body(answer) }
        if let answer = try await settingsOperation(request) { return .body(answer) }
        if let answer = try await consumerOperation(request) { return .body(answer) }
        if request.operation == "SubscribeToShard" { return .events(try await subscribeToShard(request)) }
        throw AWSError("UnknownOperationException", "")
    }

    private func dataOperation(_ request: APIRequest) async throws(AWSError) -> [UInt8]? {
        switch request.operation {
        case "PutRecords": try await scanned(request, .kinesisRecords, putRecords)
        case "PutRecord": try await scanned(request, .kinesisRecord, putRecord)
        case "GetRecords": try await getRecords(request)
        case "GetShardIterator": try await getShardIterator(request)
        default: nil
        }
    }

    private func streamOperation(_ request: APIRequest) async throws(AWSError) -> [UInt8]? {
        switch request.operation {
        case "ListShards": try await listShards(request)
        case "DescribeStreamSummary": try describeStreamSummary(request)
        case "DescribeStream": try describeStream(request)
        case "DescribeLimits": try describeLimits(forAccount(request))
        case "ListStreams": try listStreams(forAccount(request))
        case "CreateStream": try await createStream(request)
        case "DeleteStream": try await deleteStream(request)
        case "SplitShard": try await splitShard(request)
        case "MergeShards": try await mergeShards(request)
        case "UpdateShardCount": try await updateShardCount(request)
        default: nil
        }
    }

    private func settingsOperation(_ request: APIRequest) async throws(AWSError) -> [UInt8]? {
        switch request.operation {
        case "AddTagsToStream": try await addTagsToStream(request)
        case "RemoveTagsFromStream": try await removeTagsFromStream(request)
        case "ListTagsForStream": try listTagsForStream(request)
        case "TagResource": try await tagResource(request)
        case "UntagResource": try await untagResource(request)
        case "ListTagsForResource": try listTagsForResource(request)
        case "PutResourcePolicy": try await putResourcePolicy(request)
        case "GetResourcePolicy": try getResourcePolicy(request)
        case "DeleteResourcePolicy": try await deleteResourcePolicy(request)
        case "IncreaseStreamRetentionPeriod": try await changeRetention(request, up: true)
        case "DecreaseStreamRetentionPeriod": try await changeRetention(request, up: false)
        case "UpdateMaxRecordSize": try await updateMaxRecordSize(request)
        case "UpdateStreamMode": try await updateStreamMode(request)
        case "UpdateStreamWarmThroughput": try await updateWarmThroughput(request)
        case "UpdateStreamRecordDistributionStrategy": try await updateDistribution(request)
        case "EnableEnhancedMonitoring": try await changeMonitoring(request, enables: true)
        case "DisableEnhancedMonitoring": try await changeMonitoring(request, enables: false)
        case "StartStreamEncryption": try await startEncryption(request)
        case "StopStreamEncryption": try await stopEncryption(request)
        case "DescribeAccountSettings": try await describeAccountSettings(forAccount(request))
        case "UpdateAccountSettings": try await updateAccountSettings(forAccount(request))
        default: nil
        }
    }

    private func consumerOperation(_ request: APIRequest) async throws(AWSError) -> [UInt8]? {
        switch request.operation {
        case "RegisterStreamConsumer": try await registerConsumer(request)
        case "DeregisterStreamConsumer": try await deregisterConsumer(request)
        case "DescribeStreamConsumer": try describeConsumer(request)
        case "ListStreamConsumers": try listConsumers(request)
        case "CreateChannel", "DescribeChannel", "UpdateChannel", "DeleteChannel", "ListChannels":
            try channelOperation(forAccount(request))
        default: nil
        }
    }

    /// The stream's state in memory, or AWS's words for a missing one. The caller must be allowed to do this with it.
    ///
    /// - Parameter tags: those of the request.
    func stream(
        _ reference: StreamReference,
        _ request: APIRequest,
        tags: @autoclosure () -> [TagPair] = []
    ) throws(AWSError) -> Stream {
        let stream = find(reference, request)
        try authorize(request, on: reference, stream, tags: tags())
        guard let stream else { throw missing(reference, request) }
        return stream
    }

    /// One that takes and gives records: in CREATING it does not yet, in DELETING no more.
    func serving(_ reference: StreamReference, _ request: APIRequest) throws(AWSError) -> Stream {
        let stream = try stream(reference, request)
        guard stream.isServing else { throw notFound(stream.key.name) }
        return stream
    }

    func notFound(_ name: String) -> AWSError {
        .notFound("Stream \(name) under account \(configuration.account) not found.")
    }

    /// The log failed under a request: the cause goes to the operator, AWS's words to the client.
    func failure(_ error: ShardLogError, _ shard: ShardRef) -> AWSError {
        logger.error("shard log failed", metadata: ["shard": "\(shard)", "error": "\(error)"])
        if case .unavailable(let reason, _) = error {
            return .unavailable("The shard can't be served now: \(reason)")
        }
        return .internalFailure
    }

    func failure(_ error: StateStoreError) -> AWSError {
        logger.error("state store failed", metadata: ["error": "\(error)"])
        if case .unavailable(let reason, _) = error {
            return .unavailable("The catalog can't be written now: \(reason)")
        }
        return .internalFailure
    }
}
