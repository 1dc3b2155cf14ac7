/// How far one numbering of a journal is acknowledged.
public struct JournalCheckpoint: Sendable, Equatable {
    /// The numbering's source: a random number of 63 bits, never 0.
    public var source: UInt64
    /// journald's id of the numbering, 32 hexadecimal digits: the `s=` of its cursors.
    public var seqnumID: String
    /// The number of the last acknowledged entry, the `i=` of its cursor.
    public var sequence: Int64
    /// The cursor of the last acknowledged entry.
    public var cursor: String
    /// Which of several checkpoints is the newest: the one with the highest order.
    public var order: Int64

    /// A checkpoint, from its parts.
    public init(source: UInt64, seqnumID: String, sequence: Int64, cursor: String, order: Int64) {
        self.source = source
        self.seqnumID = seqnumID
        self.sequence = sequence
        self.cursor = cursor
        self.order = order
    }
}
