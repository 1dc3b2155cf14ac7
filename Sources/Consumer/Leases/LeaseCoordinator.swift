/// One worker's leases: takes, renews, checkpoints and gives back. A value that decides; its caller carries out the
/// actions and reports how they went, so the same code runs against a table far away and in a simulated world.
///
///     free/expired row --take stored--> held --(renew | checkpoint)*--> held
///     held --SHARD_END stored--> done          held --release stored--> given back
///     held --owner changed, or silent for the failover time--> lost: the user is stopped at once
///
/// At most one write per lease is under way, so renewals and checkpoints never race on the counter. A refused write leads
/// to a read: when the row is still this worker's, an earlier write of unknown outcome had reached the table, and the
/// write is tried again on the counter found.
public struct LeaseCoordinator: Sendable {
    /// One holding of a lease by this worker. Taking it again makes another life, and nothing of an earlier one counts.
    public typealias Life = UInt64

    /// A write under way.
    public struct Write: Sendable, Equatable {
        /// The lease.
        public var key: String
        /// The holding it belongs to.
        public var life: Life
        /// The counter the row must have.
        public var counter: Int64
        /// What to write.
        public var change: LeaseChange
        /// When it was decided, on the worker's monotonic clock.
        public var sent: Duration
    }

    /// Why a lease is no longer used.
    public enum StopReason: String, Sendable, Equatable {
        /// Another worker has taken it.
        case lost
        /// It couldn't be renewed in time, so another worker may take it.
        case expired
    }

    /// What the caller must do.
    public enum Action: Sendable, Equatable {
        /// Read all leases, then call ``LeaseCoordinator/scanned(_:now:)``.
        case scan
        /// Try the write, then call ``LeaseCoordinator/finished(_:outcome:now:)``.
        case write(Write)
        /// Read the lease whose write was refused, then call ``LeaseCoordinator/reread(_:outcome:now:)``.
        case reread(Write)
        /// Start using the lease.
        case start(Lease, life: Life)
        /// Stop using it at once; nothing more may be stored for this life.
        case stop(key: String, life: Life, StopReason)
        /// The checkpoint asked for is stored.
        case stored(key: String, life: Life, Checkpoint)
    }

    /// How a write went.
    public enum Outcome: Sendable, Equatable {
        /// It is in the table.
        case stored
        /// The row had another counter.
        case refused
        /// No answer: it may or may not be in the table.
        case unknown
    }

    private struct Held: Sendable {
        var lease: Lease
        var life: Life
        var lastRenewal: Duration
        var nextWrite: Duration
        var writing = false
        var wanted: LeaseChange?
    }

    /// The worker's id, unique among the application's running workers.
    public let worker: String
    /// The times and limits.
    public let settings: LeaseSettings
    /// Every lease as last seen.
    public private(set) var views: [String: LeaseView] = [:]
    private var held: [String: Held] = [:]
    private var taking: Set<String> = []
    private var nextLife: Life = 1
    private var nextScan: Duration
    private var isScanning = false
    private var isStopping = false
    private var random: SeededRandom

    /// A worker that holds nothing and scans at once.
    public init(worker: String, settings: LeaseSettings, random: SeededRandom, now: Duration) {
        self.worker = worker
        self.settings = settings
        self.random = random
        nextScan = now
    }

    /// The leases held now.
    public var heldKeys: Set<String> { Set(held.keys) }

    /// Whether the lease may be used: still held in this life, and renewed recently enough that nobody else may take it. A
    /// twentieth of the failover time is kept as a margin for stopping.
    public func isUsable(_ key: String, life: Life, now: Duration) -> Bool {
        guard let lease = held[key], lease.life == life else { return false }
        return now - lease.lastRenewal < settings.failoverTime - settings.failoverTime / 20
    }

    /// Looks at the time. Call it at least every fortieth of the failover time.
    public mutating func tick(now: Duration) -> [Action] {
        var actions: [Action] = []
        for (key, lease) in held.sorted(by: { $0.key < $1.key }) {
            if !isUsable(key, life: lease.life, now: now) {
                actions += stop(key, .expired)
            } else {
                actions += nextWrite(key, now: now)
            }
        }
        if !isScanning, !isStopping, now >= nextScan {
            isScanning = true
            actions.append(.scan)
        }
        return actions
    }

    /// Makes the next tick scan.
    public mutating func scanSoon(now: Duration) { nextScan = min(nextScan, now) }

    /// The leases as read, or nil when reading failed.
    public mutating func scanned(_ leases: [Lease]?, now: Duration) -> [Action] {
        isScanning = false
        // A table without rows will get them soon, once the leader has listed the shards.
        nextScan =
            now + (leases?.isEmpty == true ? min(settings.takeInterval, .milliseconds(500)) : settings.takeInterval)
        guard let leases, !isStopping else { return [] }
        var actions: [Action] = []
        let known = Set(leases.map(\.key))
        views = views.filter { known.contains($0.key) }
        for lease in leases {
            if var view = views[lease.key] {
                view.observe(lease, now: now, failoverTime: settings.failoverTime)
                views[lease.key] = view
            } else {
                views[lease.key] = LeaseView(lease, now: now)
            }
            if let mine = held[lease.key], lease.owner != worker, lease.counter > mine.lease.counter, !mine.writing {
                actions += stop(lease.key, .lost)
            }
        }
        let wanted = LeaseTaking.plan(
            views: views.values.sorted { $0.lease.key < $1.lease.key }.filter { !taking.contains($0.lease.key) },
            held: heldKeys.union(taking),
            worker: worker,
            settings: settings,
            now: now,
            using: &random
        )
        for lease in wanted {
            taking.insert(lease.key)
            let switches = lease.ownerSwitches + (lease.owner == worker ? 0 : 1)
            let change = LeaseChange.take(by: worker, switches: switches)
            actions.append(
                .write(Write(key: lease.key, life: nextLife, counter: lease.counter, change: change, sent: now))
            )
            nextLife += 1
        }
        return actions
    }

    /// A write has ended.
    public mutating func finished(_ write: Write, outcome: Outcome, now: Duration) -> [Action] {
        if case .take = write.change { return taken(write, outcome: outcome, now: now) }
        guard var lease = held[write.key], lease.life == write.life else { return [] }
        switch outcome {
        case .stored:
            lease.lease = write.change.applied(to: lease.lease)
            lease.lastRenewal = max(lease.lastRenewal, write.sent)
            return settled(write, lease, now: now)
        case .refused:
            return [.reread(write)]
        case .unknown:
            lease.writing = false
            lease.nextWrite = now + settings.renewInterval / 8
            if write.change != .renew, lease.wanted == nil { lease.wanted = write.change }
            held[write.key] = lease
            return []
        }
    }

    /// The row of a refused write, as read again (nil: it is gone); an outer nil when reading failed.
    public mutating func reread(_ write: Write, outcome: Lease??, now: Duration) -> [Action] {
        guard var lease = held[write.key], lease.life == write.life else { return [] }
        guard let read = outcome else { return finished(write, outcome: .unknown, now: now) }
        guard let row = read, row.owner == worker else { return stop(write.key, .lost) }
        lease.lease = row
        if case .checkpoint(let checkpoint, _) = write.change, row.checkpoint == checkpoint {
            return settled(write, lease, now: now)
        }
        lease.writing = false
        lease.nextWrite = now
        if write.change != .renew, lease.wanted == nil { lease.wanted = write.change }
        held[write.key] = lease
        return nextWrite(write.key, now: now)
    }

    /// Asks for a checkpoint to be stored. Nothing happens when the lease is no longer held in this life.
    public mutating func store(
        _ checkpoint: Checkpoint,
        children: Set<String> = [],
        key: String,
        life: Life,
        now: Duration
    ) -> [Action] {
        guard isUsable(key, life: life, now: now) else { return [] }
        held[key]?.wanted = .checkpoint(checkpoint, children: children)
        held[key]?.nextWrite = now
        return nextWrite(key, now: now)
    }

    /// Gives a lease back, after its user has stopped.
    public mutating func release(_ key: String, life: Life, now: Duration) -> [Action] {
        guard let lease = held[key], lease.life == life else { return [] }
        held[key]?.wanted = .release
        held[key]?.nextWrite = now
        return nextWrite(key, now: now)
    }

    /// No lease is taken from now on.
    public mutating func beginStop() { isStopping = true }

    private mutating func taken(_ write: Write, outcome: Outcome, now: Duration) -> [Action] {
        taking.remove(write.key)
        guard outcome == .stored, let view = views[write.key] else { return [] }
        let lease = write.change.applied(to: view.lease)
        views[write.key]?.observe(lease, now: now, failoverTime: settings.failoverTime)
        held[write.key] = Held(
            lease: lease,
            life: write.life,
            lastRenewal: write.sent,
            nextWrite: write.sent + settings.renewInterval
        )
        guard isUsable(write.key, life: write.life, now: now) else {
            held[write.key] = nil
            return []
        }
        return isStopping
            ? release(write.key, life: write.life, now: now) : [.start(lease, life: write.life)]
    }

    private mutating func settled(_ write: Write, _ lease: Held, now: Duration) -> [Action] {
        var lease = lease
        lease.writing = false
        lease.nextWrite = lease.wanted == nil ? write.sent + settings.renewInterval : now
        views[write.key]?.observe(lease.lease, now: now, failoverTime: settings.failoverTime)
        held[write.key] = lease
        switch write.change {
        case .release:
            held[write.key] = nil
            return []
        case .checkpoint(let checkpoint, _):
            if checkpoint == .shardEnd { held[write.key] = nil }
            return [.stored(key: write.key, life: write.life, checkpoint)] + nextWrite(write.key, now: now)
        case .renew, .take:
            return nextWrite(write.key, now: now)
        }
    }

    private mutating func nextWrite(_ key: String, now: Duration) -> [Action] {
        guard var lease = held[key], !lease.writing, now >= lease.nextWrite else { return [] }
        let change = lease.wanted ?? .renew
        lease.wanted = nil
        lease.writing = true
        held[key] = lease
        let counter = lease.lease.counter
        return [.write(Write(key: key, life: lease.life, counter: counter, change: change, sent: now))]
    }

    private mutating func stop(_ key: String, _ reason: StopReason) -> [Action] {
        guard let lease = held.removeValue(forKey: key) else { return [] }
        return [.stop(key: key, life: lease.life, reason)]
    }
}
