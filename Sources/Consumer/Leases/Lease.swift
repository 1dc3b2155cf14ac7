/// How far an application has handled a shard, as its lease row says it.
///
/// KCL programs write and read the same words.
public enum Checkpoint: Sendable, Hashable, CustomStringConvertible {
    /// Nothing handled; start at the oldest record that is kept.
    case trimHorizon
    /// Nothing handled; start behind the newest record of the moment the shard is first read.
    case latest
    /// Nothing handled; start at the first record at or after the application's own configured time.
    case atTimestamp
    /// Every record up to and including this one is handled.
    case sequence(String)
    /// The shard is closed and handled to its end.
    case shardEnd

    /// Reads the stored word; nil when it is neither a word of this format nor decimal digits.
    public init?(_ text: String) {
        switch text {
        case "TRIM_HORIZON": self = .trimHorizon
        case "LATEST": self = .latest
        case "AT_TIMESTAMP": self = .atTimestamp
        case "SHARD_END": self = .shardEnd
        default:
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
            self = .sequence(text)
        }
    }

    /// The stored word.
    public var description: String {
        switch self {
        case .trimHorizon: "TRIM_HORIZON"
        case .latest: "LATEST"
        case .atTimestamp: "AT_TIMESTAMP"
        case .shardEnd: "SHARD_END"
        case .sequence(let number): number
        }
    }

    /// Whether the shard's records are being or have been handled: false for the three starting words.
    public var isStarted: Bool {
        switch self {
        case .trimHorizon, .latest, .atTimestamp: false
        case .sequence, .shardEnd: true
        }
    }
}

/// Who may read a shard and how far it is handled: one row of an application's lease table.
///
/// These are the stored facts only; what a worker concludes from them is in ``LeaseView``. Every write is a
/// compare-and-set on `counter`, which each write raises by one.
public struct Lease: Sendable, Equatable {
    /// The shard's id; `leaseKey` of the row.
    public var key: String
    /// The worker that may read the shard; nil when nobody may.
    public var owner: String?
    /// Raised by every write of a row's owner or taker.
    public var counter: Int64
    /// How far the shard is handled.
    public var checkpoint: Checkpoint
    /// The index inside an aggregated record; 0 unless a KCL program wrote it.
    public var subSequenceNumber: Int64
    /// How often the owner has changed since the checkpoint last moved.
    public var ownerSwitches: Int64
    /// The shards this one came from: none, one, or two after a merge.
    public var parents: Set<String>
    /// The shards that came from this one; known once it is handled to its end.
    public var children: Set<String>
    /// The first hash key of the shard, decimal.
    public var startingHashKey: String?
    /// The last hash key of the shard, decimal.
    public var endingHashKey: String?
    /// The shard's first sequence number, decimal: tells whether the shard is that of the stream the row was made for. A row
    /// of a KCL program has none.
    public var startingSequenceNumber: String?
    /// When the row was made, in milliseconds since 1970, for a checkpoint of `LATEST`: every owner before the first
    /// checkpoint begins there, so that none skips what another had read. A row of a KCL program has none.
    public var latestFrom: Int64?

    /// A row; a new one has no owner and counter 0.
    public init(
        key: String,
        owner: String? = nil,
        counter: Int64 = 0,
        checkpoint: Checkpoint,
        subSequenceNumber: Int64 = 0,
        ownerSwitches: Int64 = 0,
        parents: Set<String> = [],
        children: Set<String> = [],
        startingHashKey: String? = nil,
        endingHashKey: String? = nil,
        startingSequenceNumber: String? = nil,
        latestFrom: Int64? = nil
    ) {
        self.key = key
        self.owner = owner
        self.counter = counter
        self.checkpoint = checkpoint
        self.subSequenceNumber = subSequenceNumber
        self.ownerSwitches = ownerSwitches
        self.parents = parents
        self.children = children
        self.startingHashKey = startingHashKey
        self.endingHashKey = endingHashKey
        self.startingSequenceNumber = startingSequenceNumber
        self.latestFrom = latestFrom
    }
}

/// A write to a lease row. It holds only against the counter it was decided on, and raises that by one.
public enum LeaseChange: Sendable, Equatable {
    /// A worker makes itself the owner; `switches` is the new count of owner changes.
    case take(by: String, switches: Int64)
    /// The owner shows that it lives.
    case renew
    /// The owner stores what is handled; children come with the end of a shard.
    case checkpoint(Checkpoint, children: Set<String>)
    /// The owner gives the lease back, so that another may take it without waiting.
    case release

    /// The row after this write.
    public func applied(to lease: Lease) -> Lease {
        var lease = lease
        lease.counter += 1
        switch self {
        case .take(let worker, let switches):
            lease.owner = worker
            lease.ownerSwitches = switches
        case .renew: break
        case .checkpoint(let checkpoint, let children):
            lease.checkpoint = checkpoint
            lease.subSequenceNumber = 0
            lease.ownerSwitches = 0
            if !children.isEmpty { lease.children = children }
        case .release: lease.owner = nil
        }
        return lease
    }
}
