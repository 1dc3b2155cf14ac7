import Logging

/// Sends a flow's batches, one request at a time, each until all of it is stored.
struct FlowSender: Sendable {
    let flow: FlowConfiguration
    let publisher: any RecordPublisher
    let handoff: Handoff
    let meters: FlowMeters
    let logger: Logger
    /// Waits for a while; may return earlier when the task is cancelled.
    var sleep: @Sendable (Duration) async -> Void = { duration in
        // A cancelled sleep is a short one.
        do { try await Task.sleep(for: duration) } catch {}
    }

    /// Sends until the reader closes the handoff, or until a request fails while the agent is stopping.
    func run() async {
        defer { handoff.senderDone() }
        guard let endpoint = await findEndpoint() else { return }
        meters.update { $0.endpoint = endpoint }
        handoff.found(endpoint)
        while let batch = await handoff.take() {
            guard await deliver(batch) else { return }
            handoff.acknowledge(batch)
        }
    }

    /// Records that a try carries at least, however few of the last one were taken.
    private static let leastSelection = 16

    // MARK: - Steps

    private func findEndpoint() async -> EndpointKind? {
        var attempts = Attempts(flow)
        while true {
            do throws(PublishError) {
                let endpoint = try await request { () async throws(PublishError) in try await publisher.probe() }
                worked(&attempts)
                return endpoint
            } catch {
                guard await failed(error.description, &attempts, retryAfter: error.retryAfter) else { return nil }
            }
        }
    }

    /// False when it was given up, because the agent is stopping.
    private func deliver(_ batch: EncodedBatch) async -> Bool {
        var attempts = Attempts(flow)
        var pending = Array(0..<batch.batch.count)
        var limit = Int.max
        while !pending.isEmpty {
            let selection = Array(pending.prefix(limit))
            do throws(PublishError) {
                let request = Self.make(batch, selection)
                let failures = try await self.request { () async throws(PublishError) in
                    try await publisher.publish(request)
                }
                pending = failures.map { selection[$0.index] } + pending.dropFirst(selection.count)
                guard let first = failures.first else {
                    worked(&attempts)
                    limit = limit > Int.max / 2 ? .max : limit * 2
                    continue
                }
                // A throttled shard takes a part of each try: pauses that grow would leave its rate unused, and most of what a
                // full request carries would be carried for nothing.
                let stored = selection.count - failures.count
                if stored > 0 {
                    attempts.backoff.succeeded()
                    limit = max(Self.leastSelection, stored * 2)
                }
                meters.update { $0.recordsRetried += Int64(failures.count) }
                let words =
                    "\(failures.count) of \(selection.count) records were not stored: \(first.code): \(first.message)"
                guard await failed(words, &attempts, retryAfter: nil) else { return false }
            } catch {
                // A server that takes fewer records than the one that was asked at the start.
                if error.code == "ValidationException", selection.count > 500 { limit = max(500, selection.count / 2) }
                guard await failed(error.description, &attempts, retryAfter: error.retryAfter) else { return false }
            }
        }
        return true
    }

    private static func make(_ batch: EncodedBatch, _ selection: [Int]) -> PublishRequest {
        guard selection.count < batch.batch.count else {
            return PublishRequest(body: batch.body, producers: batch.producers, count: selection.count)
        }
        var body: [UInt8] = []
        batch.encoder.encode(batch.batch, only: selection, into: &body)
        let producers = batch.producers.map { _ in ProducerHeader.text(batch.batch, only: selection) }
        return PublishRequest(body: body, producers: producers, count: selection.count)
    }

    private func request<Answer: Sendable>(
        _ body: () async throws(PublishError) -> Answer
    ) async throws(PublishError) -> Answer {
        meters.update { values in
            values.sending = .requesting(since: MonotonicTime.nanoseconds())
            values.requests += 1
        }
        defer { meters.update { $0.sending = .idle } }
        return try await body()
    }

    // MARK: - Trouble

    private struct Attempts {
        var backoff: Backoff
        var log = TroubleLog()

        init(_ flow: FlowConfiguration) {
            backoff = Backoff(initial: flow.retryInitialBackoff, longest: flow.retryMaxBackoff)
        }
    }

    private func worked(_ attempts: inout Attempts) {
        attempts.backoff.succeeded()
        guard let line = attempts.log.succeeded(now: MonotonicTime.nanoseconds()) else { return }
        logger.notice("\(line)")
        meters.update { $0.trouble = nil }
    }

    /// Waits for the next try; false when there is none.
    private func failed(_ what: String, _ attempts: inout Attempts, retryAfter: Duration?) async -> Bool {
        meters.failed(what)
        let wait = max(attempts.backoff.failed(random: .random(in: 0..<1)), retryAfter ?? .zero)
        if handoff.isStopping { return false }
        if let line = attempts.log.failed(what, now: MonotonicTime.nanoseconds()) { logger.warning("\(line)") }
        meters.update { $0.sending = .backingOff }
        defer { meters.update { $0.sending = .idle } }
        var left = wait
        while left > .zero, !handoff.isStopping {
            let step = min(left, .milliseconds(100))
            await sleep(step)
            left -= step
        }
        return !handoff.isStopping
    }
}
