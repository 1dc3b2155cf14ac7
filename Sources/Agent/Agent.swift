import AWSClient
import Logging
import Synchronization

/// The agent: reads files and journals, and ships them.
public final class Agent: Sendable {
    private let configuration: AgentConfiguration
    private let folder: StateFolder
    private let store: CheckpointStore
    private let client: AWSClient
    private let flows: [Flow]
    private let logger: Logger
    private let isStopping = Atomic(false)
    private let tasks = Mutex<[Task<AgentError?, Never>]>([])

    /// Takes the state folder, which it makes if needed. Nothing is read or sent yet.
    /// Throws when the folder can't be used, another agent holds it, or nothing is found to sign requests with.
    public init(
        _ configuration: AgentConfiguration,
        environment: [String: String],
        logger: Logger
    ) throws(AgentError) {
        self.configuration = configuration
        self.logger = logger
        folder = try StateFolder(configuration.stateDirectory)
        let store = try CheckpointStore(folder: configuration.stateDirectory)
        let client = try configuration.client(environment: environment, logger: logger)
        (self.store, self.client) = (store, client)
        flows = configuration.flows.map { flow in
            var logger = logger
            logger[metadataKey: "flow"] = "\(flow.id)"
            return Flow(
                flow,
                publisher: AWSPublisher(client: client, destination: flow.destination),
                store: store,
                logger: logger,
                flowCount: configuration.flows.count
            )
        }
    }

    /// Ships until `stop`. Throws when a flow can't go on at all; the others are stopped then.
    public func run() async throws(AgentError) {
        for notice in configuration.notices { logger.notice("\(notice)") }
        let running = tasks.withLock { tasks in
            tasks = flows.map { flow in
                Task {
                    do throws(AgentError) {
                        try await flow.run()
                        return nil
                    } catch {
                        self.stop()
                        return error
                    }
                }
            }
            return tasks
        }
        let reporter = Task { await report() }
        var failure: AgentError?
        for task in running {
            let error = await task.value
            failure = failure ?? error
        }
        reporter.cancel()
        await reporter.value
        writeStatus(isRunning: false)
        await client.shutdown()
        try store.close()
        if let failure { throw failure }
    }

    /// Asks for the end: nothing more is read, and requests under way get the configured time.
    public func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        for flow in flows { flow.stop() }
        let tasks = tasks.withLock { $0 }
        let limit = configuration.shutdownTimeout
        Task {
            // Ended early only together with the process.
            do { try await Task.sleep(for: limit) } catch {}
            for task in tasks { task.cancel() }
        }
    }

    /// Whether every flow advances or rests for a reason: what a watchdog should know.
    public var isAlive: Bool {
        let now = MonotonicTime.nanoseconds()
        return flows.allSatisfy { $0.meters.isAlive(at: now) }
    }

    /// One line about all flows.
    public var summary: String { status(isRunning: true).summary }

    // MARK: - Status

    private func status(isRunning: Bool) -> AgentStatus {
        AgentStatus(
            isRunning: isRunning,
            flows: flows.map { FlowStatus(id: $0.configuration.id, $0.meters.values) }
        )
    }

    private func writeStatus(isRunning: Bool) {
        do throws(AgentError) {
            try status(isRunning: isRunning).write(to: configuration.stateDirectory)
        } catch {
            logger.debug("\(error)")
        }
    }

    /// Keeps the status file fresh and logs progress until cancelled.
    private func report() async {
        var written: AgentStatus?
        var said = ContinuousClock.now
        while !Task.isCancelled {
            let status = status(isRunning: true)
            if status != written {
                writeStatus(isRunning: true)
                written = status
            }
            if ContinuousClock.now - said >= configuration.statusPeriod {
                said = .now
                logger.info("\(status.summary)")
            }
            // A cancelled sleep ends the loop.
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }
}

extension AgentConfiguration {
    /// A client for the endpoints and keys of this configuration; what is not in it comes from the environment.
    func client(environment: [String: String], logger: Logger) throws(AgentError) -> AWSClient {
        var environment = environment
        if let accessKeys {
            environment["AWS_ACCESS_KEY_ID"] = accessKeys.id
            environment["AWS_SECRET_ACCESS_KEY"] = accessKeys.secret
            environment["AWS_SESSION_TOKEN"] = nil
        }
        do throws(AWSClientError) {
            var resolved = try AWSConfiguration.resolve(region: region, environment: environment)
            if let kinesisEndpoint { resolved.serviceEndpointURLs["kinesis"] = kinesisEndpoint }
            if let firehoseEndpoint { resolved.serviceEndpointURLs["firehose"] = firehoseEndpoint }
            resolved.timeout = .seconds(60)
            return try AWSClient(configuration: resolved, retry: RetryPolicy.none, logger: logger)
        } catch {
            throw AgentError(error.message)
        }
    }
}
