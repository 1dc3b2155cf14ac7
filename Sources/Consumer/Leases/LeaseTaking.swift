/// Decides which leases a worker takes, from what it has seen and nothing else.
///
/// 1. A worker's fair share is the number of unfinished leases divided by the workers that hold unexpired ones (itself
///    included), rounded up.
/// 2. Leases without a living owner come first, up to the share. One that nobody has taken for three failover times is
///    taken beyond the share: somebody counted as a worker can't take it.
/// 3. With none free, at most one lease is stolen, from the most loaded worker, if that leaves both nearer to the share.
///
/// Where every worker follows these rules the loads end up within one of each other.
public enum LeaseTaking {
    /// The leases to take now, as they were last seen. Leases in `held` are this worker's already.
    public static func plan(
        views: [LeaseView],
        held: Set<String>,
        worker: String,
        settings: LeaseSettings,
        now: Duration,
        using random: inout some RandomNumberGenerator
    ) -> [Lease] {
        var load: [String: Int] = [worker: held.count]
        var free: [LeaseView] = []
        var unfinished = 0
        for view in views where view.lease.checkpoint != .shardEnd {
            unfinished += 1
            if held.contains(view.lease.key) { continue }
            if isFree(view, worker: worker, settings: settings, now: now) {
                free.append(view)
            } else if let owner = view.lease.owner {
                load[owner, default: 0] += 1
            }
        }
        let share = (unfinished + load.count - 1) / load.count
        let room = settings.maxLeases - held.count
        guard room > 0 else { return [] }
        if !free.isEmpty {
            let veryOld = settings.failoverTime * 3
            let neglected = free.filter { $0.freeSince.map { now - $0 >= veryOld } ?? false }
            let wanted = max(min(share, settings.maxLeases) - held.count, neglected.count)
            guard wanted > 0 else { return [] }
            let others = free.filter { view in !neglected.contains { $0.lease.key == view.lease.key } }
            let ordered = neglected.shuffled(using: &random) + others.shuffled(using: &random)
            return ordered.prefix(min(wanted, room)).map(\.lease)
        }
        let stolen = steal(views: views, load: load, share: share, held: held, worker: worker, using: &random)
        return stolen.map { [$0] } ?? []
    }

    /// Whether a lease may be taken without robbing anybody: no owner, a silent owner, or this worker's own name from an
    /// earlier life.
    private static func isFree(_ view: LeaseView, worker: String, settings: LeaseSettings, now: Duration) -> Bool {
        guard let owner = view.lease.owner else { return true }
        return owner == worker || view.isExpired(now: now, failoverTime: settings.failoverTime)
    }

    private static func steal(
        views: [LeaseView],
        load: [String: Int],
        share: Int,
        held: Set<String>,
        worker: String,
        using random: inout some RandomNumberGenerator
    ) -> Lease? {
        let needed = share - held.count
        let most = load.filter { $0.key != worker }.max { ($0.value, $0.key) < ($1.value, $1.key) }
        guard needed > 0, let most, most.value > share || (most.value == share && needed > 1) else { return nil }
        return views.filter { $0.lease.owner == most.key && $0.lease.checkpoint != .shardEnd }
            .randomElement(using: &random)?.lease
    }
}
