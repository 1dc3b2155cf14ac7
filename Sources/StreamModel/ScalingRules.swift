/// When the shards of an on-demand stream split and merge by themselves. Loads are shares of a shard's write limit, of bytes or
/// of records, whichever is greater.
public struct ScalingRules: Sendable, Hashable {
    /// A shard splits when it had more than this load over `hotTicks` looks; default 0.5.
    public var hotLoad: Double
    /// Looks over which a shard's load is averaged before it splits; default 3, a look a second.
    public var hotTicks: Int
    /// Two neighbours merge when each had less than this load for `coldTicks` looks; default 0.1. The merged shard has less than
    /// twice that, well below `hotLoad`: it does not split again at once.
    public var coldLoad: Double
    /// Looks in a row that a shard must be cold before it merges; default 60.
    public var coldTicks: Int
    /// What the lighter part of a split must take off a hot shard at least, as a share of its traffic; default 0.05. A shard
    /// below it is hot by a single key, and no split can help it.
    public var leastRelief: Double
    /// Keys that a sample must hold before a shard is cut by it; default 32.
    public var leastSample: Int
    /// Open shards that a stream grows to at most; default 10,000.
    public var maxShards: Int
    /// Open shards that a warm throughput gives a stream at most before its traffic comes; default 200, which is what an
    /// on-demand stream grows to on AWS unless more is asked for.
    public var warmShards: Int

    /// Defaults.
    public init(
        hotLoad: Double = 0.5,
        hotTicks: Int = 3,
        coldLoad: Double = 0.1,
        coldTicks: Int = 60,
        leastRelief: Double = 0.05,
        leastSample: Int = 32,
        maxShards: Int = 10_000,
        warmShards: Int = 200
    ) {
        precondition(coldLoad * 2 < hotLoad && hotTicks > 0 && coldTicks > 0)
        self.hotLoad = hotLoad
        self.hotTicks = hotTicks
        self.coldLoad = coldLoad
        self.coldTicks = coldTicks
        self.leastRelief = leastRelief
        self.leastSample = leastSample
        self.maxShards = maxShards
        self.warmShards = warmShards
    }
}

/// Decides which shards of an on-demand stream split and merge. Pure: it is told each look's loads, and says what to do.
///
///     load   split above ──────────── 0.5 ─────────────  average of 3 looks
///            stays as it is
///            merge below ──────────── 0.1 ─────────────  60 looks in a row, and so its neighbour
public struct ShardScaler: Sendable {
    /// One look at one open shard.
    public struct Look: Sendable {
        /// The shard, open.
        public var shard: Shard
        /// Its share of the write limit since the last look.
        public var load: Double

        /// A look.
        public init(_ shard: Shard, load: Double) {
            self.shard = shard
            self.load = load
        }
    }

    /// What is to be done.
    public enum Action: Sendable, Equatable {
        case split(ShardID, at: HashKey)
        /// The first one stands right below the second.
        case merge(ShardID, ShardID)
    }

    private struct History {
        /// The latest loads, at most `hotTicks` of them.
        var recent: [Double] = []
        var coldTicks = 0
    }

    private let rules: ScalingRules
    private var histories: [ShardID: History] = [:]

    /// Knows nothing yet: no shard splits or merges before it was looked at for long enough.
    public init(_ rules: ScalingRules) { self.rules = rules }

    /// Takes in a look at every open shard, sorted by hash range; returns what to do now. `sample` is asked only for hot
    /// shards. The stream never has fewer than `floor` shards by it.
    public mutating func look(
        _ looks: [Look],
        floor: Int,
        sample: (ShardID) -> TrafficSample?
    ) -> [Action] {
        var histories: [ShardID: History] = [:]
        for look in looks {
            var history = self.histories[look.shard.id] ?? History()
            if history.recent.count == rules.hotTicks { history.recent.removeFirst() }
            history.recent.append(look.load)
            history.coldTicks = look.load < rules.coldLoad ? history.coldTicks + 1 : 0
            histories[look.shard.id] = history
        }
        self.histories = histories
        let splits = self.splits(looks, sample)
        return splits.isEmpty ? merges(looks, floor) : splits
    }

    private func splits(_ looks: [Look], _ sample: (ShardID) -> TrafficSample?) -> [Action] {
        var actions: [Action] = []
        for look in looks where looks.count + actions.count < rules.maxShards {
            guard let recent = histories[look.shard.id]?.recent, recent.count == rules.hotTicks,
                recent.reduce(0, +) > rules.hotLoad * Double(rules.hotTicks),
                let sample = sample(look.shard.id), sample.count >= rules.leastSample,
                let cut = sample.cut(of: look.shard.range), cut.lighterShare >= rules.leastRelief
            else { continue }
            actions.append(.split(look.shard.id, at: cut.boundary))
        }
        return actions
    }

    /// Siblings of a split first, then the narrowest pairs, those of about equal width from the left: so the layout comes back
    /// to what it was before the load.
    private func merges(_ looks: [Look], _ floor: Int) -> [Action] {
        func isCold(_ look: Look) -> Bool { (histories[look.shard.id]?.coldTicks ?? 0) >= rules.coldTicks }
        let pairs = zip(looks, looks.dropFirst()).filter { isCold($0) && isCold($1) }
            .map { (low: $0.shard, high: $1.shard, order: Self.order($0.shard, $1.shard)) }
            .sorted { $0.order < $1.order }
        var actions: [Action] = []
        var used: Set<ShardID> = []
        for pair in pairs where looks.count - actions.count > floor {
            guard !used.contains(pair.low.id), !used.contains(pair.high.id) else { continue }
            used.formUnion([pair.low.id, pair.high.id])
            actions.append(.merge(pair.low.id, pair.high.id))
        }
        return actions
    }

    private static func order(_ low: Shard, _ high: Shard) -> (Int, Int, UInt128) {
        let areSiblings = low.parents.count == 1 && low.parents == high.parents
        let width = high.range.end.value - low.range.start.value
        // Widths are sorted by doublings; halves of about the same width must not fall on two sides of a power of two.
        return (areSiblings ? 0 : 1, 128 - (width / 4 * 3).leadingZeroBitCount, low.range.start.value)
    }
}
