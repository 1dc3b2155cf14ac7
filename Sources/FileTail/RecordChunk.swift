/// Whole records of one generation, in order.
public struct RecordChunk: Sendable {
    /// The generation that they are from.
    public var source: SourceID
    /// The path of its file at the time of reading.
    public var path: String
    /// The records, one behind the other.
    public var bytes: [UInt8]
    /// Where each record ends in `bytes`: record `i` is `recordEnds[i - 1]..<recordEnds[i]`, the first starts at 0.
    public var recordEnds: [Int]
    /// The file offset behind each record and its newline: what `FileTail.acknowledge` takes.
    public var recordOffsets: [Int64]
    /// The number of the first record within its generation. Numbers are dense.
    public var firstSequence: Int64
    /// The file offset where the chunk starts.
    public var startOffset: Int64
    /// The file offset behind its last record.
    public var endOffset: Int64
    /// Bytes between `startOffset` and `endOffset` that belong to no record on purpose: header lines.
    public var skippedBytes: Int64
    /// Records in the chunk that are pieces of a line longer than the limit, all but the last piece of each.
    public var splitRecords: Int

    /// How many records.
    public var count: Int { recordEnds.count }

    /// Where record `index` lies in `bytes`.
    public func range(ofRecord index: Int) -> Range<Int> {
        (index == 0 ? 0 : recordEnds[index - 1])..<recordEnds[index]
    }
}
