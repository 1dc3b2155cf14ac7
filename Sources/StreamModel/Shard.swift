/// One shard as the catalog keeps it.
public struct Shard: Sendable, Equatable {
    /// Its name.
    public var id: ShardID
    /// The keys it takes, or took.
    public var range: HashRange
    /// The shard it was split from, or the lower of the two it was merged from.
    public var parent: ShardID?
    /// The upper of the two it was merged from.
    public var adjacentParent: ShardID?
    /// Creation stamp of its sequence numbers, in seconds since 1970: above that of its parents.
    public var created: UInt64
    /// When it was opened, in milliseconds since 1970.
    public var opened: Int64
    /// When it was closed, in milliseconds since 1970; nil while it is open.
    public var closed: Int64?

    /// A shard.
    public init(
        id: ShardID,
        range: HashRange,
        parent: ShardID? = nil,
        adjacentParent: ShardID? = nil,
        created: UInt64,
        opened: Int64,
        closed: Int64? = nil
    ) {
        self.id = id
        self.range = range
        self.parent = parent
        self.adjacentParent = adjacentParent
        self.created = created
        self.opened = opened
        self.closed = closed
    }

    /// Whether it takes records.
    public var isOpen: Bool { closed == nil }
    /// One after a split, two after a merge, none for a stream's first shards.
    public var parents: [ShardID] { [parent, adjacentParent].compactMap { $0 } }
    /// Sorts below all its records.
    public var startingSequenceNumber: SequenceNumber { .start(created: created, shard: id.index) }
    /// Sorts above all its records; nil while open.
    public var endingSequenceNumber: SequenceNumber? {
        closed.map { .end(created: created, closed: UInt64(max(0, $0) / 1000), shard: id.index) }
    }
}

/// Why a reshard is not possible.
public enum ReshardError: Error, Sendable, Equatable {
    /// No such shard.
    case unknownShard(ShardID)
    /// The shard has been split or merged before.
    case closedShard(ShardID)
    /// The new starting key does not leave both children a range.
    case badBoundary(HashRange)
    /// The ranges do not touch, or stand in the wrong order.
    case notAdjacent(ShardID, ShardID)
}

/// All shards of a stream that are still listed, by index. The open ones cover every hash key exactly once.
public struct ShardMap: Sendable, Equatable {
    /// In order of their index; closed ones stay until their last record has left retention.
    public private(set) var shards: [Shard]
    /// The next shard's index.
    public private(set) var nextIndex: UInt32

    /// The shards of a new stream.
    public init(count: Int, created: UInt64, now: Int64) {
        shards = HashRange.uniform(count).enumerated().map { index, range in
            Shard(id: ShardID(UInt32(index)), range: range, created: created, opened: now)
        }
        nextIndex = UInt32(count)
    }

    /// Shards as they were stored.
    public init(stored shards: [Shard], nextIndex: UInt32) {
        self.shards = shards
        self.nextIndex = nextIndex
    }

    /// The shard of that name.
    public subscript(id: ShardID) -> Shard? { index(of: id).map { shards[$0] } }

    private func index(of id: ShardID) -> Int? {
        var (low, high) = (0, shards.count)
        while low < high {
            let middle = (low + high) / 2
            if shards[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < shards.count && shards[low].id == id ? low : nil
    }

    /// Open shards, sorted by hash range.
    public var open: [Shard] { shards.filter(\.isOpen).sorted { $0.range.start < $1.range.start } }

    /// Shards that name `id` as a parent.
    public func children(of id: ShardID) -> [Shard] { shards.filter { $0.parents.contains(id) } }

    /// Closes the shard and adds two: `[start, boundary − 1]` and `[boundary, end]`. Returns the two. `now` is in milliseconds
    /// since 1970.
    public mutating func split(_ id: ShardID, at boundary: HashKey, now: Int64) throws(ReshardError) -> [Shard] {
        let at = try openIndex(id)
        let range = shards[at].range
        guard boundary > range.start, boundary.value - 1 > range.start.value, boundary < range.end else {
            throw .badBoundary(range)
        }
        let stamp = Self.stamp(now, above: [shards[at]])
        shards[at].closed = max(now, shards[at].opened)
        let low = HashRange(start: range.start, end: HashKey(boundary.value - 1))
        let children = [low, HashRange(start: boundary, end: range.end)].map { range in
            add(range, parent: id, adjacentParent: nil, created: stamp, opened: now)
        }
        return children
    }

    /// Closes both shards and adds one that covers them; `lower` stands right below `upper`. Returns the one.
    public mutating func merge(_ lower: ShardID, with upper: ShardID, now: Int64) throws(ReshardError) -> Shard {
        let (first, second) = (try openIndex(lower), try openIndex(upper))
        let (low, high) = (shards[first].range, shards[second].range)
        guard low.end < .max, low.end.value + 1 == high.start.value else { throw .notAdjacent(lower, upper) }
        let stamp = Self.stamp(now, above: [shards[first], shards[second]])
        for at in [first, second] { shards[at].closed = max(now, shards[at].opened) }
        let range = HashRange(start: low.start, end: high.end)
        return add(range, parent: lower, adjacentParent: upper, created: stamp, opened: now)
    }

    /// Moves what a reshard opened and closed to the moment at which it was carried out. `before` is the map before it.
    public mutating func retime(from before: ShardMap, now: Int64) {
        for at in shards.indices {
            let known = before[shards[at].id]
            if known == nil {
                shards[at].opened = now
                // Parents stand before their children, and have their new times already.
                shards[at].created = Self.stamp(now, above: shards[at].parents.compactMap { self[$0] })
            }
            if !shards[at].isOpen, known?.isOpen ?? true { shards[at].closed = max(now, shards[at].opened) }
        }
    }

    /// Forgets a closed shard whose records are all gone.
    public mutating func remove(_ id: ShardID) { shards.removeAll { $0.id == id && !$0.isOpen } }

    private func openIndex(_ id: ShardID) throws(ReshardError) -> Int {
        guard let at = index(of: id) else { throw .unknownShard(id) }
        guard shards[at].isOpen else { throw .closedShard(id) }
        return at
    }

    /// A child's numbers sort above its parents', whatever the clock says.
    private static func stamp(_ now: Int64, above parents: [Shard]) -> UInt64 {
        parents.map(\.created).reduce(UInt64(max(0, now) / 1000), max) + 1
    }

    private mutating func add(
        _ range: HashRange,
        parent: ShardID,
        adjacentParent: ShardID?,
        created: UInt64,
        opened: Int64
    ) -> Shard {
        let shard = Shard(
            id: ShardID(nextIndex),
            range: range,
            parent: parent,
            adjacentParent: adjacentParent,
            created: created,
            opened: opened
        )
        nextIndex += 1
        shards.append(shard)
        return shard
    }
}
