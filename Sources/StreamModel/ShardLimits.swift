/// What one shard takes and gives. Source: "Quotas and limits" in the Kinesis Data Streams developer guide.
public struct ShardLimits: Sendable, Hashable {
    /// Bytes of data and partition keys; default 1 MiB a second.
    public var writeBytes: Rate
    /// Records; default 1,000 a second.
    public var writeRecords: Rate
    /// What a record larger than a second's worth is paid from; default 10 MiB, filled at the rate of `writeBytes`.
    public var largeRecordBytes: Int
    /// Bytes answered by GetRecords; default 2 MiB a second.
    public var readBytes: Rate
    /// Calls of GetRecords; default 5 a second.
    public var readCalls: Rate
    /// Calls of GetShardIterator; default 5 a second, two seconds' worth at once: a reader that begins anew asks a few times.
    public var iteratorCalls: Rate

    /// AWS's, unless other numbers are given.
    public init(
        writeBytes: Int = 1 << 20,
        writeRecords: Int = 1000,
        largeRecordBytes: Int = 10 << 20,
        readBytes: Int = 2 << 20,
        readCalls: Int = 5,
        iteratorCalls: Int = 5
    ) {
        self.writeBytes = Rate(perSecond: writeBytes)
        self.writeRecords = Rate(perSecond: writeRecords)
        self.largeRecordBytes = largeRecordBytes
        self.readBytes = Rate(perSecond: readBytes)
        self.readCalls = Rate(perSecond: readCalls)
        self.iteratorCalls = Rate(perSecond: iteratorCalls, burst: iteratorCalls * 2)
    }
}

/// What may still be written to a shard.
///
/// Three buckets. Records within the size of a second's worth need room in all of them. A larger one is paid from the tank
/// alone, which holds ten seconds' worth: it empties the tank, and what follows it goes in as the tank fills, so small records
/// are not shut out for ten seconds behind one of 10 MiB and the average stays at the rate.
public struct WriteAllowance: Sendable {
    private var bytes = TokenBucket()
    private var records = TokenBucket()
    private var tank = TokenBucket()

    /// Everything is allowed that fits a burst.
    public init() {}

    /// Takes so many records of so many bytes in all, none of them larger than a second's worth; or none of them.
    public mutating func take(records count: Int, bytes size: Int, _ limits: ShardLimits, at now: Int64) -> Bool {
        let rate = limits.writeBytes
        guard size <= bytes.available(rate, at: now), count <= records.available(limits.writeRecords, at: now),
            size <= tank.available(tankRate(limits), at: now)
        else { return false }
        spend(count, size)
        return true
    }

    /// Takes one record, or not.
    public mutating func take(record size: Int, _ limits: ShardLimits, at now: Int64) -> Bool {
        let rate = limits.writeBytes
        guard size > rate.burst else { return take(records: 1, bytes: size, limits, at: now) }
        let left = bytes.available(rate, at: now)
        guard records.available(limits.writeRecords, at: now) >= 1,
            size <= tank.available(tankRate(limits), at: now)
        else { return false }
        spend(1, max(0, left))
        tank.spend(size - max(0, left))
        return true
    }

    private mutating func spend(_ count: Int, _ size: Int) {
        bytes.spend(size)
        records.spend(count)
        tank.spend(size)
    }

    private func tankRate(_ limits: ShardLimits) -> Rate {
        Rate(perSecond: limits.writeBytes.perSecond, burst: max(limits.largeRecordBytes, limits.writeBytes.burst))
    }
}

/// What may still be read of a shard by GetRecords, by all readers together.
public struct ReadAllowance: Sendable {
    private var bytes = TokenBucket()
    private var calls = TokenBucket()

    /// Everything is allowed that fits a burst.
    public init() {}

    /// Takes a call. Its bytes are not known yet: any call may begin while the bytes of those before it are paid for.
    public mutating func begin(_ limits: ShardLimits, at now: Int64) -> Bool {
        guard bytes.available(limits.readBytes, at: now) > 0 else { return false }
        return calls.take(1, of: limits.readCalls, at: now)
    }

    /// Pays for a page. One of a second's worth and more is paid for in full, savings do not count: behind 10 MiB nothing is
    /// read for 5 seconds, as on AWS.
    public mutating func end(bytes size: Int, _ limits: ShardLimits, at now: Int64) {
        _ = bytes.available(limits.readBytes, at: now)
        if size >= limits.readBytes.perSecond { bytes.spendSavings() }
        bytes.spend(size)
    }
}
