import AWSProtocol
import Logging
import ShardLog
import StreamModel
import Synchronization

/// One consumer's push of one shard: an event stream that is asked for piece by piece.
///
///     initial-response ─> events: records as they are there, one at least every heartbeat ─> the end
///
///     the end    life is over, reader gone, collector stops    nothing more: a clean close
///                end of the shard                              an event with ChildShards and without a number to go on
///                taken over, consumer or stream gone           an exception
///
/// It keeps a cursor and no records: every event is read from the log when its reader has taken the one before. Nothing is
/// polled: it sleeps in the log's wait, and whoever changes the stream's row wakes it.
actor Subscription {
    /// A log that fails for so long ends the stream with the server's failure.
    private static let patience = Duration.seconds(30)

    nonisolated let key: SubscriptionList.Key
    private nonisolated let collector: Collector
    private nonisolated let stream: Stream
    private nonisolated let shard: Shard
    private nonisolated let ref: ShardRef
    private nonisolated let messages: SubscriptionMessages
    /// Milliseconds since 1970.
    private nonisolated let ends: Int64

    private enum Phase { case fresh, running, over }
    private var phase = Phase.fresh
    private var cursor: ReadCursor
    /// Seconds since 1970 in the last number that was sent or came: numbers don't go back when the clock does.
    private var lastTime: UInt64
    /// Of the last record sent, in milliseconds since 1970.
    private var lastArrival: Int64?
    private var lastEvent: ContinuousClock.Instant?
    /// Whether more was there when the last event was sent.
    private var isBehind = false
    /// Since when the log fails.
    private var failingSince: ContinuousClock.Instant?
    private var bandwidth = TokenBucket()

    /// What is waited for when there is nothing to send.
    private enum Rest {
        case records
        /// The shard is sealed; its children come with the row.
        case row
        /// For nothing but time.
        case pause(Duration)
    }

    private enum Verdict { case none, superseded, ended }
    private nonisolated let verdict = Mutex(Verdict.none)
    private nonisolated let interruption = Interruption()

    init(
        _ collector: Collector,
        _ stream: Stream,
        _ shard: Shard,
        _ key: SubscriptionList.Key,
        from start: (cursor: ReadCursor, time: UInt64),
        format: WireFormat
    ) {
        self.collector = collector
        self.stream = stream
        self.shard = shard
        self.key = key
        cursor = start.cursor
        lastTime = start.time
        ref = stream.ref(shard.id)
        messages = SubscriptionMessages(format: format)
        ends = collector.now() + collector.configuration.subscriptions.life.wholeMilliseconds
        // The row may have changed since it was looked at.
        interruption.raise()
    }

    // MARK: - From outside

    /// The stream's row has changed.
    nonisolated func wake() { interruption.raise() }

    /// Another subscription has its place.
    nonisolated func supersede() {
        verdict.withLock { if $0 == .none { $0 = .superseded } }
        interruption.raise()
    }

    /// Nobody reads it any more.
    nonisolated func end() {
        verdict.withLock { $0 = .ended }
        stream.subscriptions.remove(self, key)
        interruption.raise()
    }

    // MARK: - Messages

    /// The next message, nil at the end; waits for it. One call at a time.
    func next() async -> [UInt8]? {
        switch phase {
        case .over: return nil
        case .fresh:
            phase = .running
            return messages.initialResponse()
        case .running: break
        }
        while !Task.isCancelled {
            switch verdict.withLock({ $0 }) {
            case .ended: return finish(nil)
            case .superseded: return finish(messages.exception(collector.subscriptionInUse(key, stream)))
            case .none: break
            }
            if interruption.take(), let refusal = collector.refusal(key, stream) {
                return finish(messages.exception(refusal))
            }
            if collector.now() >= ends { return finish(nil) }
            do throws(AWSError) {
                let (event, rest) = try await read()
                if let event { return event }
                if isHeartbeatDue { return heartbeat() }
                await sleep(rest)
            } catch {
                return finish(messages.exception(error))
            }
        }
        return finish(nil)
    }

    private func finish(_ message: [UInt8]?) -> [UInt8]? {
        phase = .over
        stream.subscriptions.remove(self, key)
        return message
    }

    /// An event with what there is, or what to wait for.
    private func read() async throws(AWSError) -> (event: [UInt8]?, rest: Rest) {
        if let pause = pause() { return (nil, .pause(pause)) }
        while true {
            let slab: FrameSlab
            let tail: Position
            do throws(ShardLogError) {
                slab = try await collector.log.read(ref, from: cursor.position, maxBytes: limit.bytes)
                tail = try await collector.log.bounds(ref).tail
                failingSince = nil
            } catch {
                return (nil, .pause(try delay(after: error)))
            }
            // The log of a parent is sealed before the row has its children: the end is the row's to tell.
            let record = stream.record
            let isOver = slab.isAtEnd && record.shards[shard.id]?.isOpen == false
            if slab.frames.isEmpty, !isOver {
                if slab.next > cursor.position { cursor = ReadCursor(slab.next) }
                // A log whose reads lag behind its tail would end every wait at once.
                if slab.next < tail { return (nil, .pause(.milliseconds(10))) }
                return (nil, slab.isAtEnd ? .row : .records)
            }
            let children = isOver ? record.shards.children(of: shard.id) : nil
            if let event = try event(slab, tail: tail, children: children) { return (event, .records) }
        }
    }

    private var limit: RecordPage.Limit { collector.configuration.subscriptions.eventLimit }

    /// Writes an event and moves on; nil when the slab holds nothing that was not sent.
    private func event(_ slab: FrameSlab, tail: Position, children: [Shard]?) throws(AWSError) -> [UInt8]? {
        let source = RecordSource(shard: shard, uid: stream.uid, region: stream.key.region, keys: collector.keys)
        var page: RecordPage?
        var isLast = false
        var behind: Int64 = 0
        let bytes: [UInt8]
        do {
            bytes = try messages.event { writer in
                writer.name("Records")
                try writer.raw { bytes in
                    var moved: [UInt8] = []
                    swap(&moved, &bytes)
                    page = try RecordPage(
                        slab,
                        from: cursor.position,
                        index: cursor.index,
                        of: source,
                        as: messages.format,
                        limit: limit,
                        behind: consume moved
                    )
                    if let released = page?.release() { bytes = released }
                }
                guard let page else { return }
                isLast = page.isComplete && children != nil
                behind = page.isComplete && slab.next >= tail ? 0 : age(page.lastArrival)
                lastArrival = page.lastArrival ?? lastArrival
                let next = isLast ? nil : ReadCursor(page.next, index: page.nextIndex)
                writeEnd(next, behind, children ?? [], to: &writer)
            }
        } catch let error as AWSError {
            throw error
        } catch {
            collector.logger.error(
                "a stored frame can't be read",
                metadata: ["shard": "\(ref)", "stream": "\(stream.key.name)", "error": "\(error)"]
            )
            throw .internalFailure
        }
        guard let page else { return nil }
        cursor = ReadCursor(page.next, index: page.nextIndex)
        if page.count == 0, !isLast { return nil }
        sent(records: page.count, bytes: page.userBytes, behind: behind)
        return isLast ? finish(bytes) : bytes
    }

    /// The members behind the records. `next` is nil in a shard's last event.
    private func writeEnd(
        _ next: ReadCursor?,
        _ behind: Int64,
        _ children: [Shard],
        to writer: inout AnswerWriter
    ) {
        if let next {
            // In the middle of a frame the number has its last record's counter, and is not to lie below it.
            lastTime = max(lastTime, UInt64(max(0, collector.now(), lastArrival ?? 0) / 1000))
            writer.name("ContinuationSequenceNumber")
            writer.string(next.numberBefore(in: shard, time: lastTime).description)
        }
        writer.name("MillisBehindLatest")
        writer.integer(behind)
        if next == nil {
            writer.name("ChildShards")
            writer.array { writer in for child in children { Collector.write(child: child, to: &writer) } }
        }
    }

    /// An event without records.
    private func heartbeat() -> [UInt8] {
        let bytes = messages.event { writer in
            writer.name("Records")
            writer.array { _ in }
            writeEnd(cursor, isBehind ? age(lastArrival) : 0, [], to: &writer)
        }
        sent(records: 0, bytes: 0, behind: isBehind ? age(lastArrival) : 0)
        return bytes
    }

    private func age(_ arrival: Int64?) -> Int64 {
        let current = collector.now()
        return max(0, current - (arrival ?? current))
    }

    private func sent(records: Int, bytes: Int, behind: Int64) {
        lastEvent = .now
        isBehind = behind > 0
        bandwidth.spend(bytes)
        collector.eventSent(stream, shard.id, records: records, bytes: bytes, behind: behind)
    }

    // MARK: - Waiting

    /// The first event comes at once: its number is where to go on, even when no record ever comes.
    private var isHeartbeatDue: Bool {
        lastEvent.map { $0.duration(to: .now) >= collector.configuration.subscriptions.heartbeat } ?? true
    }

    /// How long to wait until more may be sent: AWS's bandwidth is kept by pacing, not by refusals.
    private func pause() -> Duration? {
        guard let rate = collector.subscriptionBandwidth else { return nil }
        let available = bandwidth.available(rate, at: collector.now())
        if available > 0 { return nil }
        return .milliseconds(1 + -available * 1000 / rate.perSecond)
    }

    /// How long to wait until the log is asked again. Throws when it is of no use.
    private func delay(after error: ShardLogError) throws(AWSError) -> Duration {
        let since = failingSince ?? .now
        failingSince = since
        switch error {
        case .notFound: throw collector.missingShard(shard.id.description, stream.key.name)
        case .unavailable(_, let delay) where since.duration(to: .now) < Self.patience: return delay
        default:
            collector.logger.error("shard log failed", metadata: ["shard": "\(ref)", "error": "\(error)"])
            throw .internalFailure
        }
    }

    private func sleep(_ rest: Rest) async {
        let times = collector.configuration.subscriptions
        let silence = lastEvent.map { $0.duration(to: .now) } ?? .zero
        let left = Duration.milliseconds(max(0, ends - collector.now()))
        let limit = max(.zero, min(times.heartbeat - silence, left))
        let (log, ref, position) = (collector.log, ref, cursor.position)
        await interruption.sleep {
            switch rest {
            case .records: await log.wait(ref, past: position, upTo: limit)
            // Cut short by an interruption.
            case .row: try? await Task.sleep(for: limit)
            case .pause(let pause): try? await Task.sleep(for: min(pause, limit))
            }
        }
    }
}

extension Duration {
    /// Rounded down.
    var wholeMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
