/// Entries of one numbering of the journal, in order.
public struct JournalChunk: Sendable {
    /// The numbering's source.
    public var source: UInt64
    /// The records, one behind the other.
    public var bytes: [UInt8]
    /// Where each record ends in `bytes`: record `i` is `recordEnds[i - 1]..<recordEnds[i]`, the first starts at 0.
    public var recordEnds: [Int]
    /// journald's number of each entry: strictly rising within a source, with gaps.
    public var sequences: [Int64]
    /// When each entry was received by journald, microseconds since 1970.
    public var realtimeMicroseconds: [UInt64]
    /// The cursor of the last entry.
    public var lastCursor: String
    /// Entries whose values were cut short to fit.
    public var shortenedEntries: Int
}
