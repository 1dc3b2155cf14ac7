/// Everything a worker is told.
public struct WorkerConfiguration: Sendable, Equatable {
    /// The application: workers of one name share the stream's shards. Names the lease table.
    public var applicationName: String
    /// The stream's name.
    public var stream: String
    /// This worker, unique among the application's running workers. A worker that comes back under its old name has its
    /// leases back at once, so two running at a time under one name would both handle the same records.
    public var workerID: String
    /// Where shards without a checkpoint begin.
    public var position: InitialPosition
    /// Times and limits of leasing.
    public var leases = LeaseSettings()
    /// Pauses of reading.
    public var shards = ShardConsumer.Settings()
    /// How long a stop waits for running handlers; 10 s by default.
    public var shutdownGrace: Duration = .seconds(10)

    /// A worker with the defaults.
    public init(
        applicationName: String,
        stream: String,
        workerID: String,
        position: InitialPosition = .trimHorizon
    ) {
        self.applicationName = applicationName
        self.stream = stream
        self.workerID = workerID
        self.position = position
        if case .atTimestamp(let time) = position { shards.initialTimestamp = time }
    }
}

/// Why a worker can't go on.
public enum WorkerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no such stream, or not any more.
    case streamGone(String)
    /// The service refuses this worker for good: wrong credentials, or no permission.
    case refused(String)

    public var description: String {
        switch self {
        case .streamGone(let name):
            "stream \(name): there is no stream of this name at the endpoint. Create it, or check --stream, --endpoint-url and --region."
        case .refused(let reason): reason
        }
    }
}
