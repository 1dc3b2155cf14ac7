import Logging
import Synchronization

/// One flow at work: a reader on a thread of its own, a sender, and what is between them.
final class Flow: Sendable {
    let configuration: FlowConfiguration
    let meters = FlowMeters()
    private let publisher: KnownEndpoint
    private let store: CheckpointStore
    private let handoff = Handoff()
    private let logger: Logger
    private let batchBytes: Int
    private let openFiles: Int
    private let saveInterval: Duration
    private let failure = Mutex<AgentError?>(nil)

    /// `flowCount` flows share the memory and the disk.
    init(
        _ configuration: FlowConfiguration,
        publisher: AWSPublisher,
        store: CheckpointStore,
        logger: Logger,
        flowCount: Int
    ) {
        self.configuration = configuration
        self.publisher = KnownEndpoint(publisher: publisher, store: store, flow: configuration.id)
        self.store = store
        self.logger = logger
        batchBytes = max(262_144, min(4 * 1_048_576, 12 * 1_048_576 / flowCount))
        openFiles = DescriptorBudget.share(flows: flowCount)
        saveInterval = .milliseconds(max(200, 100 * flowCount))
        // Until the thread runs, it counts as just seen.
        meters.update { $0.readerSeen = MonotonicTime.nanoseconds() }
    }

    /// Runs until `stop` was called and everything under way has come to an end.
    func run() async throws(AgentError) {
        let sender = FlowSender(
            flow: configuration,
            publisher: publisher,
            handoff: handoff,
            meters: meters,
            logger: logger
        )
        async let sending: Void = sender.run()
        do throws(AgentError) {
            try await FlowThread.run { self.read() }
        } catch {
            failed(error)
        }
        await sending
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Comes to an end soon: nothing more is read, and what is read is sent if that works at once.
    func stop() { handoff.stop() }

    private func read() {
        do {
            let reader = FlowReader(
                flow: configuration,
                source: try source(),
                store: store,
                handoff: handoff,
                meters: meters,
                logger: logger,
                batchBytes: batchBytes,
                saveInterval: saveInterval
            )
            reader.run()
        } catch {
            failed(AgentError("the flow \(configuration.id) can't start: \(error)"))
        }
    }

    private func failed(_ error: AgentError) {
        failure.withLock { $0 = error }
        handoff.stop()
        handoff.close()
    }

    private func source() throws -> any RecordSource {
        let id = configuration.id
        switch configuration.input {
        case .files(var files):
            files.maxOpenFiles = openFiles
            return try FileSource(files, restoring: store.files(of: id), hasRunBefore: store.isKnown(flow: id))
        case .journal(let journal): return try JournalSource(journal, restoring: store.journals(of: id))
        }
    }
}
