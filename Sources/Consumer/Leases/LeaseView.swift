/// What one worker knows of a lease by watching it: the row, and when it last saw the row move.
///
/// No wall clock is shared between workers. An owner raises the counter at least every third of the failover time; a
/// watcher that has seen it stand still for the whole failover time, on its own monotonic clock, calls the lease expired.
/// The owner counts from the moment it *sent* its last successful write, which is never later than the moment a watcher
/// saw it, so the owner stops before anybody else starts.
public struct LeaseView: Sendable, Equatable {
    /// The row as last read.
    public var lease: Lease
    /// When the counter was last seen to differ, on the watcher's monotonic clock.
    public var lastChange: Duration
    /// Since when the lease has been free to take, if it is.
    public var freeSince: Duration?

    /// The first look at a row.
    public init(_ lease: Lease, now: Duration) {
        self.lease = lease
        lastChange = now
        freeSince = lease.owner == nil ? now : nil
    }

    /// Whether the owner has been silent for the failover time. A lease without an owner isn't expired but free.
    public func isExpired(now: Duration, failoverTime: Duration) -> Bool {
        lease.owner != nil && now - lastChange >= failoverTime
    }

    /// Takes in another look at the row.
    public mutating func observe(_ newer: Lease, now: Duration, failoverTime: Duration) {
        if newer.counter != lease.counter || newer.owner != lease.owner { lastChange = now }
        lease = newer
        if newer.owner == nil || isExpired(now: now, failoverTime: failoverTime) {
            freeSince = freeSince ?? now
        } else {
            freeSince = nil
        }
    }
}
