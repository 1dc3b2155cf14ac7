import AWSProtocol
import Crypto
import KinesisTypes
import Logging
import RecordBatch
import ShardLog
import StateStore
import StreamModel
import Synchronization

/// One request behind authentication: what it asks, of which region.
public struct APIRequest: Sendable {
    /// Such as `PutRecords`.
    public var operation: String
    /// The credential scope's.
    public var region: String
    /// The whole body.
    public var body: [UInt8]
    /// The value of `x-millrace-producer`, where it was sent.
    public var producer: String?

    /// A request.
    public init(operation: String, region: String, body: [UInt8], producer: String? = nil) {
        self.operation = operation
        self.region = region
        self.body = body
        self.producer = producer
    }
}

/// The service: streams, shards and records over one `ShardLog` and one `StateStore`.
public final class Collector: Sendable {
    /// What a collector is told at its start.
    public struct Configuration: Sendable {
        /// Twelve digits, default `000000000000`.
        public var account: String
        /// Records a request may hold when it names its producer; plain clients have AWS's 500.
        public var maxRecordsPerProducerRequest: Int

        /// Defaults.
        public init(account: String = "000000000000", maxRecordsPerProducerRequest: Int = 10_000) {
            self.account = account
            self.maxRecordsPerProducerRequest = maxRecordsPerProducerRequest
        }
    }

    /// The shards' logs.
    public let log: any ShardLog
    /// The catalog and what is kept beside it.
    public let state: any StateStore
    let configuration: Configuration
    let now: @Sendable () -> Int64
    let logger: Logger
    let iteratorSecret: SymmetricKey
    let meters = Meters()
    let streams = Mutex<[StreamKey: Stream]>([:])
    /// Held while a name is taken or given back.
    let catalog = AsyncMutex()

    /// Reads the catalog and finishes whatever was under way when the last collector stopped.
    ///
    /// - Parameter now: milliseconds since 1970.
    public static func open(
        log: any ShardLog,
        state: any StateStore,
        configuration: Configuration = Configuration(),
        now: @escaping @Sendable () -> Int64,
        logger: Logger
    ) async throws -> Collector {
        let secret = try await iteratorSecret(state)
        let collector = Collector(
            log: log,
            state: state,
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
        configuration: Configuration,
        now: @escaping @Sendable () -> Int64,
        logger: Logger,
        secret: SymmetricKey
    ) {
        self.log = log
        self.state = state
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

    /// Carries out one Kinesis operation; returns the answer's JSON, empty for operations without output.
    public func kinesis(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        switch request.operation {
        case "PutRecords": try await putRecords(request)
        case "PutRecord": try await putRecord(request)
        case "GetRecords": try await getRecords(request)
        case "GetShardIterator": try await getShardIterator(request)
        case "ListShards": try await listShards(request)
        case "DescribeStreamSummary": try describeStreamSummary(request)
        case "DescribeStream": try describeStream(request)
        case "ListStreams": try listStreams(request)
        case "CreateStream": try await createStream(request)
        case "DeleteStream": try await deleteStream(request)
        case "SplitShard": try await splitShard(request)
        case "MergeShards": try await mergeShards(request)
        default: throw AWSError("UnknownOperationException", "")
        }
    }

    /// The stream's state in memory, or AWS's words for a missing one.
    func stream(_ reference: StreamReference, _ region: String) throws(AWSError) -> Stream {
        let key = StreamKey(region: region, name: reference.name)
        guard let stream = streams.withLock({ $0[key] }), !stream.record.isHidden else {
            throw notFound(key.name)
        }
        // An ARN names an account and a region too.
        if let arn = reference.arn, arn != stream.record.arn(account: configuration.account) {
            throw .notFound("Stream \(arn) not found.")
        }
        return stream
    }

    /// One that takes and gives records: in CREATING it does not yet, in DELETING no more.
    func serving(_ reference: StreamReference, _ region: String) throws(AWSError) -> Stream {
        let stream = try stream(reference, region)
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
