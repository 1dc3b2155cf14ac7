/// The times and limits of leasing. All follow from the failover time unless set.
public struct LeaseSettings: Sendable, Equatable {
    /// How long an owner may be silent before its leases are taken; 10 s by default. Below about a second, a slow disk or a
    /// busy machine looks like a dead worker.
    public var failoverTime: Duration
    /// How often an owner renews: a third of the failover time, so that two renewals may fail.
    public var renewInterval: Duration
    /// How often the table is read for leases to take: half the failover time. KCL waits twice the failover time.
    public var takeInterval: Duration
    /// How long the leader may be silent before another takes over: three failover times. KCL has 120 s.
    public var leaderLeaseDuration: Duration
    /// How often the leader compares leases with the stream's shards, besides when a finished shard shows children
    /// without leases; 30 s by default.
    public var shardSyncInterval: Duration
    /// The most leases this worker holds; no limit by default.
    public var maxLeases: Int

    /// The defaults for a failover time.
    public init(failoverTime: Duration = .seconds(10), maxLeases: Int = .max) {
        self.failoverTime = failoverTime
        renewInterval = failoverTime / 3
        takeInterval = failoverTime / 2
        leaderLeaseDuration = failoverTime * 3
        shardSyncInterval = .seconds(30)
        self.maxLeases = maxLeases
    }

    /// How often the leader's row is looked at or kept alive: a quarter of its duration.
    public var leaderInterval: Duration { leaderLeaseDuration / 4 }
}
