/// Records of one source, in reading order: what files and journals have in common.
struct SourceChunk: Sendable {
    /// How the records are numbered within their source.
    enum Numbering: Sendable {
        /// One after the other, from this number on.
        case dense(from: Int64)
        /// Each on its own, strictly rising.
        case listed([Int64])
    }

    /// Names the source, for ever.
    var producer: UInt64
    /// The records, one behind the other.
    var bytes: [UInt8]
    /// Where each record ends in `bytes`.
    var ends: [Int]
    var numbering: Numbering
    /// For files, the offset behind each record; otherwise empty.
    var offsets: [Int64] = []

    var count: Int { ends.count }

    func range(_ record: Int) -> Range<Int> { (record == 0 ? 0 : ends[record - 1])..<ends[record] }

    func sequence(_ record: Int) -> Int64 {
        switch numbering {
        case .dense(let first): first + Int64(record)
        case .listed(let numbers): numbers[record]
        }
    }
}
