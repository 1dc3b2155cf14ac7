/// Counts one operation's calls on one stream.
final class CallMeter: Sendable {
    let latency = Histogram()
    let successes = Counter()
    let bytes = Counter()

    /// A call ended that began at `start`.
    func ended(since start: ContinuousClock.Instant, isSuccess: Bool) {
        let (seconds, attoseconds) = start.duration(to: .now).components
        latency.note(microseconds: Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000))
        if isSuccess { successes.add() }
    }
}

/// How old the last record of an answer was, or how far behind the tip an event is; in milliseconds.
final class AgeMeter: Sendable {
    let sum = Counter()
    let count = Counter()
    let recent = RecentMaximum()

    func note(_ milliseconds: Int, at now: Int64) {
        sum.add(milliseconds)
        count.add()
        recent.note(milliseconds, at: now)
    }
}

/// Counts what happened to one stream. Every request adds to it a few times, without a lock and without looking anything up.
/// `Collector.metrics` says what each number is.
final class StreamMeters: Sendable {
    let putRecord = CallMeter()
    let putRecords = CallMeter()
    let getRecords = CallMeter()

    let recordsStored = Counter()
    let bytesStored = Counter()
    let duplicatesDropped = Counter()
    let putFailures = Counter()
    let recordsRead = Counter()
    let bytesRead = Counter()

    /// Records of PutRecords alone, by how they ended.
    let batchRecords = Counter()
    let batchStored = Counter()
    let batchFailed = Counter()
    let batchThrottled = Counter()

    let writesThrottled = Counter()
    let readsThrottled = Counter()
    let iteratorAge = AgeMeter()

    /// Subscriptions that began, and those refused because their place was taken.
    let subscriptions = Counter()
    let subscribeRateExceeded = Counter()
    let eventsSent = Counter()
    let eventRecords = Counter()
    let eventBytes = Counter()
    let eventsBehind = AgeMeter()
}

/// Counts what happened to one shard: the seven metrics of EnableEnhancedMonitoring. They are always counted, and shown where a
/// stream asks for them.
struct ShardMeters: ~Copyable, Sendable {
    let incomingBytes = Counter()
    let incomingRecords = Counter()
    let outgoingBytes = Counter()
    let outgoingRecords = Counter()
    let writesThrottled = Counter()
    let readsThrottled = Counter()
    let iteratorAge = RecentMaximum()

    func stored(records: Int, bytes: Int) {
        incomingRecords.add(records)
        incomingBytes.add(bytes)
    }

    func refusedWrites(_ count: Int) { writesThrottled.add(count) }

    func answered(records: Int, bytes: Int) {
        outgoingRecords.add(records)
        outgoingBytes.add(bytes)
    }
}
