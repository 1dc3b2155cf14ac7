/// Where an application begins when it has no checkpoint.
public enum InitialPosition: Sendable, Hashable {
    /// The oldest record that is kept.
    case trimHorizon
    /// Records that come from now on.
    case latest
    /// Records that arrived at or after this time, in milliseconds since 1970.
    case atTimestamp(Int64)

    /// The word stored in a new lease.
    public var checkpoint: Checkpoint {
        switch self {
        case .trimHorizon: .trimHorizon
        case .latest: .latest
        case .atTimestamp: .atTimestamp
        }
    }
}

/// What the leader does to keep leases and shards in step.
///
/// - Every listed shard gets a lease, parents first, so that a child's lease never stands without its parent's.
/// - Under `latest`, shards that were closed before the application began get none; a descendant of a shard with a lease
///   starts at its beginning, so a reshard loses nothing.
/// - The lease of a finished shard goes away when the shard has left the stream, its parents' leases are gone and its
///   children have started.
public enum ShardSync {
    /// The rows to add, in this order, and the rows to remove.
    public struct Plan: Sendable, Equatable {
        /// New leases.
        public var create: [Lease] = []
        /// Leases to remove, as they were seen.
        public var delete: [Lease] = []
        /// Leases to replace, as they were seen, and the rows to replace them by: those of a stream that was deleted and made
        /// anew, with a shard of the same name.
        public var restart: [(old: Lease, new: Lease)] = []

        /// Whether both ask for the same.
        public static func == (one: Plan, other: Plan) -> Bool {
            one.create == other.create && one.delete == other.delete
                && one.restart.map(\.old) == other.restart.map(\.old)
                && one.restart.map(\.new) == other.restart.map(\.new)
        }
    }

    /// Compares the stream's shards with the leases.
    ///
    /// - Parameter now: milliseconds since 1970.
    public static func plan(shards: [ListedShard], leases: [Lease], position: InitialPosition, now: Int64) -> Plan {
        var plan = Plan()
        let leased = Dictionary(leases.map { ($0.key, $0) }) { first, _ in first }
        let listed = Dictionary(shards.map { ($0.id, $0) }) { first, _ in first }
        let (withLeasedAncestor, withLeasedDescendant) = relatives(of: leased, in: listed)
        for shard in parentsFirst(listed) where leased[shard.id] == nil {
            var start = position.checkpoint
            if position == .latest {
                if withLeasedAncestor.contains(shard.id) {
                    start = .trimHorizon
                } else if shard.isClosed || withLeasedDescendant.contains(shard.id) {
                    continue
                }
            }
            plan.create.append(
                Lease(
                    key: shard.id,
                    checkpoint: start,
                    parents: shard.parents,
                    startingHashKey: shard.startingHashKey,
                    endingHashKey: shard.endingHashKey,
                    startingSequenceNumber: shard.startingSequenceNumber,
                    latestFrom: start == .latest ? now : nil
                )
            )
        }
        plan.restart = leases.sorted { $0.key < $1.key }.compactMap { lease in
            guard let shard = listed[lease.key], let known = lease.startingSequenceNumber,
                let present = shard.startingSequenceNumber, known != present
            else { return nil }
            let fresh = Lease(
                key: shard.id,
                checkpoint: .trimHorizon,
                parents: shard.parents,
                startingHashKey: shard.startingHashKey,
                endingHashKey: shard.endingHashKey,
                startingSequenceNumber: present
            )
            return (lease, fresh)
        }
        for lease in leases where lease.checkpoint == .shardEnd && listed[lease.key] == nil {
            let children = leases.filter { $0.parents.contains(lease.key) }
            if lease.parents.allSatisfy({ leased[$0] == nil }), children.allSatisfy(\.checkpoint.isStarted) {
                plan.delete.append(lease)
            }
        }
        plan.delete.sort { $0.key < $1.key }
        return plan
    }

    /// Whether a finished lease names a child that has no lease yet: a reason to compare at once.
    public static func isOverdue(_ leases: some Collection<Lease>) -> Bool {
        let keys = Set(leases.map(\.key))
        return leases.contains { $0.checkpoint == .shardEnd && !$0.children.isSubset(of: keys) }
    }

    private static func parentsFirst(_ shards: [String: ListedShard]) -> [ListedShard] {
        var ordered: [ListedShard] = []
        var visited: Set<String> = []
        func visit(_ id: String) {
            guard let shard = shards[id], visited.insert(id).inserted else { return }
            for parent in shard.parents.sorted() { visit(parent) }
            ordered.append(shard)
        }
        for id in shards.keys.sorted() { visit(id) }
        return ordered
    }

    private static func relatives(
        of leased: [String: Lease],
        in shards: [String: ListedShard]
    ) -> (ancestor: Set<String>, descendant: Set<String>) {
        var descends: Set<String> = []
        var precedes: Set<String> = []
        for shard in parentsFirst(shards) {
            if shard.parents.contains(where: { leased[$0] != nil || descends.contains($0) }) {
                descends.insert(shard.id)
            }
        }
        for shard in parentsFirst(shards).reversed() where leased[shard.id] != nil || precedes.contains(shard.id) {
            precedes.formUnion(shard.parents)
        }
        return (descends, precedes)
    }
}
