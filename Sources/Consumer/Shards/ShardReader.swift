/// Where in a shard to begin reading.
public enum ReadPosition: Sendable, Hashable {
    /// The oldest record that is kept.
    case trimHorizon
    /// Behind the newest record.
    case latest
    /// The first record that arrived at or after this time, in milliseconds since 1970.
    case atTimestamp(Int64)
    /// This record: for a checkpoint inside an aggregated record, which is then read again as a whole.
    case at(String)
    /// Behind this record.
    case after(String)
}

/// A record of a shard, as read.
public struct ConsumedRecord: Sendable, Equatable {
    /// Its place in the shard, decimal; numbers of a shard rise.
    public var sequenceNumber: String
    /// The key that chose the shard.
    public var partitionKey: String
    /// The payload.
    public var data: [UInt8]
    /// When the stream took it, in milliseconds since 1970.
    public var arrivalMilliseconds: Int64

    /// A record.
    public init(sequenceNumber: String, partitionKey: String, data: [UInt8], arrivalMilliseconds: Int64) {
        self.sequenceNumber = sequenceNumber
        self.partitionKey = partitionKey
        self.data = data
        self.arrivalMilliseconds = arrivalMilliseconds
    }
}

/// Order of sequence numbers: they are decimal numbers too long for any integer type.
public enum SequenceOrder {
    /// Whether `a` comes before `b`. Neither may have leading zeros.
    public static func isBefore(_ a: String, _ b: String) -> Bool {
        a.utf8.count == b.utf8.count ? a < b : a.utf8.count < b.utf8.count
    }
}

/// One answer to a read.
public struct RecordPage: Sendable, Equatable {
    /// Records in order; often none.
    public var records: [ConsumedRecord]
    /// Where to read on; nil at the end of a closed shard.
    public var nextIterator: String?
    /// How far behind the newest record this answer is, in time.
    public var millisBehindLatest: Int64
    /// The shards that came from this one; known at its end.
    public var children: Set<String>

    /// An answer.
    public init(
        records: [ConsumedRecord],
        nextIterator: String?,
        millisBehindLatest: Int64,
        children: Set<String> = []
    ) {
        self.records = records
        self.nextIterator = nextIterator
        self.millisBehindLatest = millisBehindLatest
        self.children = children
    }
}

/// A shard of the stream, as listed.
public struct ListedShard: Sendable, Equatable {
    /// The shard's id.
    public var id: String
    /// The shards it came from; they may have left the stream.
    public var parents: Set<String>
    /// Whether it takes no more records.
    public var isClosed: Bool
    /// The first hash key, decimal.
    public var startingHashKey: String?
    /// The last hash key, decimal.
    public var endingHashKey: String?
    /// Sorts before its records, decimal: differs between shards of one id in streams of one name.
    public var startingSequenceNumber: String?

    /// A shard.
    public init(
        id: String,
        parents: Set<String> = [],
        isClosed: Bool = false,
        startingHashKey: String? = nil,
        endingHashKey: String? = nil,
        startingSequenceNumber: String? = nil
    ) {
        self.id = id
        self.parents = parents
        self.isClosed = isClosed
        self.startingHashKey = startingHashKey
        self.endingHashKey = endingHashKey
        self.startingSequenceNumber = startingSequenceNumber
    }
}

/// Why reading failed, as far as the reader acts on it.
public enum ShardReadError: Error, Sendable, Equatable {
    /// The iterator is too old: ask for another.
    case iteratorExpired
    /// Too many calls or bytes: wait and try again.
    case throttled
    /// The shard has left the stream; nothing more can be read of it.
    case shardGone
    /// The stream doesn't exist, or not any more.
    case streamGone
    /// The position is none of this shard's: the stream was deleted and made anew under the same name.
    case positionRefused(String)
    /// The service doesn't accept the caller: fatal at a worker's start, tried again later on.
    case refused(String)
    /// Any other failure, in words; tried again.
    case unavailable(String)
}

/// Reads a stream: the seam between the algorithm and a service.
public protocol ShardReader: Sendable {
    /// Every shard of the stream, closed ones included.
    func shards() async throws(ShardReadError) -> [ListedShard]
    /// A place to read from.
    func iterator(shard: String, at position: ReadPosition) async throws(ShardReadError) -> String
    /// Records from there, up to `limit`.
    func read(shard: String, iterator: String, limit: Int) async throws(ShardReadError) -> RecordPage
}
