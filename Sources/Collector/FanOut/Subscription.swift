import AWSProtocol
import Logging
import ShardLog
import StreamModel
import Synchronization

/// One consumer's push of one shard: an event stream that is asked for piece by piece.
///
///     initial-response ─> events: records as they are there, signs of life where there are none ─> the end
///
///     the end    life is over, reader gone, collector stops    nothing more: a clean close
///                end of the shard                              an event with ChildShards and without a number to go on
///                taken over, consumer or stream gone           an exception
///
/// It keeps its place and no records: every event is read from the log when its reader has taken the one before. Nothing is
/// polled: it sleeps in the log's wait, and whoever changes the stream's row wakes it. A sign of life wakes nobody: whoever
/// writes the stream makes it from the place where the subscription rests.
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
    private var place: SubscriptionPlace
    private var hasSentEvent = false
    /// Its place while `next` has nothing to give and all it gave before was taken; nil while it is at work.
    private nonisolated let resting = Mutex<SubscriptionPlace?>(nil)
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
        place = SubscriptionPlace(cursor: start.cursor, lastTime: start.time)
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
                // The first event comes at once: its number is where to go on, even when no record ever comes.
                if !hasSentEvent {
                    hasSentEvent = true
                    return signOfLife(at: &place)
                }
                await sleep(rest)
            } catch {
                return finish(messages.exception(error))
            }
        }
        return finish(nil)
    }

    /// An event without records, for a reader that has taken everything and has heard nothing for a heartbeat; nil when one
    /// with records may be on its way.
    nonisolated func heartbeat() -> [UInt8]? {
        // The clock may have been set since it fell asleep.
        if collector.now() >= ends {
            interruption.raise()
            return nil
        }
        return resting.withLock { rested in
            guard var place = rested else { return nil }
            defer { rested = place }
            return signOfLife(at: &place)
        }
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
                slab = try await collector.log.read(ref, from: place.cursor.position, maxBytes: limit.bytes)
                tail = try await collector.log.bounds(ref).tail
                failingSince = nil
            } catch {
                return (nil, .pause(try delay(after: error)))
            }
            // The log of a parent is sealed before the row has its children: the end is the row's to tell.
            let record = stream.record
            let isOver = slab.isAtEnd && record.shards[shard.id]?.isOpen == false
            if slab.frames.isEmpty, !isOver {
                if slab.next > place.cursor.position { place.cursor = ReadCursor(slab.next) }
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
                        from: place.cursor.position,
                        index: place.cursor.index,
                        of: source,
                        as: messages.format,
                        limit: limit,
                        behind: consume moved
                    )
                    if let released = page?.release() { bytes = released }
                }
                guard let page else { return }
                isLast = page.isComplete && children != nil
                let now = collector.now()
                behind = page.isComplete && slab.next >= tail ? 0 : SubscriptionPlace.age(page.lastArrival, now)
                place.lastArrival = page.lastArrival ?? place.lastArrival
                place.cursor = ReadCursor(page.next, index: page.nextIndex)
                place.isBehind = behind > 0
                if isLast {
                    place.writeEnd(behind, children ?? [], to: &writer)
                } else {
                    place.writeContinuation(behind, in: shard, now, to: &writer)
                }
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
        if page.count == 0, !isLast { return nil }
        bandwidth.spend(page.userBytes)
        sent(records: page.count, bytes: page.userBytes, behind: behind)
        hasSentEvent = true
        return isLast ? finish(bytes) : bytes
    }

    /// An event without records.
    private nonisolated func signOfLife(at place: inout SubscriptionPlace) -> [UInt8] {
        let now = collector.now()
        let behind = place.isBehind ? SubscriptionPlace.age(place.lastArrival, now) : 0
        let bytes = messages.event { writer in
            writer.name("Records")
            writer.array { _ in }
            place.writeContinuation(behind, in: shard, now, to: &writer)
        }
        sent(records: 0, bytes: 0, behind: behind)
        return bytes
    }

    private nonisolated func sent(records: Int, bytes: Int, behind: Int64) {
        collector.eventSent(stream, shard.id, records: records, bytes: bytes, behind: behind)
    }

    // MARK: - Waiting

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
        let left = Duration.milliseconds(max(0, ends - collector.now()))
        let (log, ref, position) = (collector.log, ref, place.cursor.position)
        resting.withLock { $0 = place }
        await interruption.sleep {
            switch rest {
            case .records: await log.wait(ref, past: position, upTo: left)
            // Cut short by an interruption.
            case .row: try? await Task.sleep(for: left)
            case .pause(let pause): try? await Task.sleep(for: min(pause, left))
            }
        }
        // The number of a sign of life counts as sent.
        if let rested = resting.withLock({ $0.take() }) { place = rested }
    }
}

extension Duration {
    /// Rounded down.
    var wholeMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
