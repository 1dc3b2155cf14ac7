import Logging

/// Reads a flow's source into batches and moves its checkpoint. Lives on one thread.
///
/// Each `turn` does what can be done now: it takes acknowledgements, looks at the files, fills the next batch while one is
/// being sent, and saves checkpoints. New sources are saved before their first record is handed to the sender.
final class FlowReader {
    private let flow: FlowConfiguration
    private let source: any RecordSource
    private let store: any CheckpointSaving
    private let handoff: Handoff
    private let meters: FlowMeters
    private let logger: Logger
    /// The most data bytes in a batch, so that all flows together stay small.
    private let batchBytes: Int
    /// Checkpoints are saved at most this often while records flow.
    private let saveInterval: Duration

    private var building = Batch()
    private var buildingSince: Int64 = 0
    private var chunk: SourceChunk?
    private var chunkNext = 0
    private var spareBodies: [[UInt8]] = []
    private var savedRevision: UInt64?
    private var isDirty = false
    private var lastSave: Int64 = .min / 2
    private var lastRefresh: Int64 = .min / 2
    private var trouble: (reading: String?, saving: String?) = (nil, nil)

    init(
        flow: FlowConfiguration,
        source: any RecordSource,
        store: any CheckpointSaving,
        handoff: Handoff,
        meters: FlowMeters,
        logger: Logger,
        batchBytes: Int = 4 * 1_048_576,
        saveInterval: Duration = .milliseconds(200)
    ) {
        self.flow = flow
        self.source = source
        self.store = store
        self.handoff = handoff
        self.meters = meters
        self.logger = logger
        self.batchBytes = batchBytes
        self.saveInterval = saveInterval
    }

    /// Takes turns until the sender is done.
    func run() {
        let signal = handoff.wakeReader
        source.start(wake: { signal.wake() })
        while let pause = turn(now: MonotonicTime.nanoseconds()) {
            if pause > .zero { signal.wait(atMost: pause) }
        }
        source.stop()
    }

    /// Does what can be done at this moment (nanoseconds); how long the next turn can wait, nil when none is needed.
    func turn(now: Int64) -> Duration? {
        meters.update { $0.readerSeen = now }
        takeAcknowledgements()
        guard !handoff.isSenderDone else {
            if isDirty { _ = save(now) }
            return nil
        }
        let isStopping = handoff.isStopping
        if !isStopping, now - lastRefresh >= flow.pollInterval.nanoseconds { refresh(now) }
        var isBusy = false
        if let endpoint = handoff.endpoint, handoff.hasRoom {
            if !isStopping { fill(BatchPlan(flow, endpoint, batchBytes).limits, now) }
            if isDue(now, isStopping) { isBusy = seal(BatchPlan(flow, endpoint, batchBytes), now) }
            // What can't be sent at the end is read again at the next start.
            if isStopping, !isBusy { building = Batch() }
        }
        saveWhenDue(now)
        if isStopping, handoff.endpoint == nil || building.isEmpty && handoff.hasRoom { handoff.close() }
        meters.update { $0.lagBytes = source.lagBytes }
        return isBusy ? .zero : pause(now)
    }

    // MARK: - Steps

    private func takeAcknowledgements() {
        for done in handoff.takeAcknowledged() {
            for slice in done.batch.slices { source.acknowledge(slice.chunk, through: slice.records.upperBound - 1) }
            isDirty = true
            meters.update { values in
                values.recordsAcknowledged += Int64(done.batch.count)
                values.bytesAcknowledged += Int64(done.batch.dataBytes)
            }
            if spareBodies.count < 2 { spareBodies.append(done.body) }
        }
    }

    private func refresh(_ now: Int64) {
        lastRefresh = now
        do {
            report(try source.refresh())
            if trouble.reading != nil, trouble.saving == nil { meters.update { $0.trouble = nil } }
            trouble.reading = nil
        } catch {
            // Nothing was changed, and it is tried again; said once.
            if trouble.reading == nil { logger.error("\(error)") }
            trouble.reading = "\(error)"
            meters.failed("\(error)")
        }
    }

    private func report(_ notices: [SourceNotice]) {
        for notice in notices { logger.log(level: notice.isWarning ? .warning : .info, "\(notice.message)") }
    }

    private func fill(_ limits: BatchLimits, _ now: Int64) {
        while !building.isFull {
            if chunk == nil {
                chunk = source.next(maxBytes: min(max(limits.bytes - building.dataBytes, 65_536), 1_048_576))
                chunkNext = 0
                guard let chunk else { return }
                report(source.noticesBeforeSending())
                meters.update { values in
                    values.recordsRead += Int64(chunk.count)
                    values.bytesRead += Int64(chunk.bytes.count)
                }
            }
            guard let chunk else { return }
            if building.isEmpty { buildingSince = now }
            chunkNext += building.append(chunk, from: chunkNext, within: limits)
            if chunkNext >= chunk.count { self.chunk = nil }
        }
    }

    private func isDue(_ now: Int64, _ isStopping: Bool) -> Bool {
        guard !building.isEmpty else { return false }
        return building.isFull || isStopping || now - buildingSince >= flow.maxBufferAge.nanoseconds
    }

    /// Hands the batch to the sender; false when its sources cannot be saved yet.
    private func seal(_ plan: BatchPlan, _ now: Int64) -> Bool {
        if savedRevision != source.revision {
            guard trouble.saving == nil || now - lastSave >= 1_000_000_000 else { return false }
            guard save(now) else { return false }
        }
        let encoder = RequestEncoder(destination: flow.destination, keys: plan.keys)
        var body = spareBodies.popLast() ?? []
        encoder.encode(building, into: &body)
        let batch = EncodedBatch(
            batch: building,
            encoder: encoder,
            body: body,
            producers: plan.isMillrace ? ProducerHeader.text(building) : nil
        )
        building = Batch()
        handoff.offer(batch)
        return true
    }

    // MARK: - Checkpoints

    private func saveWhenDue(_ now: Int64) {
        guard isDirty || savedRevision != source.revision else { return }
        let interval = trouble.saving == nil ? saveInterval : max(saveInterval, .seconds(1))
        if now - lastSave >= interval.nanoseconds { _ = save(now) }
    }

    private func save(_ now: Int64) -> Bool {
        lastSave = now
        // The number first: what comes between is saved at the next time.
        let revision = source.revision
        do {
            try store.save(source.checkpoints(), flow: flow.id)
            savedRevision = revision
            isDirty = false
            if trouble.saving != nil {
                logger.notice("the checkpoint can be saved again")
                trouble.saving = nil
                meters.update { $0.trouble = nil }
            }
            return true
        } catch {
            if trouble.saving == nil { logger.error("the checkpoint can't be saved: \(error)") }
            trouble.saving = error.description
            meters.failed("the checkpoint can't be saved: \(error)")
            return false
        }
    }

    private func pause(_ now: Int64) -> Duration {
        var pause = flow.pollInterval
        if !building.isEmpty, handoff.hasRoom {
            pause = min(pause, .nanoseconds(max(1_000_000, buildingSince + flow.maxBufferAge.nanoseconds - now)))
        }
        if isDirty { pause = min(pause, .nanoseconds(max(1_000_000, lastSave + saveInterval.nanoseconds - now))) }
        return pause
    }
}

/// What a flow's requests look like towards who was found at its endpoint.
struct BatchPlan: Sendable, Equatable {
    var limits: BatchLimits
    var keys: PartitionKeys
    var isMillrace: Bool

    /// `budget` is the most data bytes in a batch.
    init(_ flow: FlowConfiguration, _ endpoint: EndpointKind, _ budget: Int) {
        var records = flow.maxBufferRecords
        switch endpoint {
        case .aws: isMillrace = false
        case .millrace(let most):
            isMillrace = true
            // 500 is AWS's limit rather than anybody's wish.
            if records == 500 { records = max(500, min(most, 10_000)) }
        }
        switch (flow.destination, flow.partitionKey) {
        case (.deliveryStream, _): keys = .none
        case (.stream, .deterministic): keys = .content
        case (.stream, .random): keys = isMillrace ? .perStretch : .perRecord
        }
        limits = BatchLimits(
            records: records,
            bytes: min(flow.maxBufferBytes, budget, 4 * 1_048_576),
            keyBytes: keys.longest
        )
    }
}
