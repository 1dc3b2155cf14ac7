/// What to read, and how to cut it into records.
public struct FileTailConfiguration: Sendable {
    /// Where reading starts in the files that are there at the very first start.
    public enum InitialPosition: Sendable, Equatable {
        /// Behind the last whole line.
        case endOfFile
        /// At the first byte.
        case startOfFile
    }

    /// An absolute path whose parts may hold `*`, `?`, `[…]` and `{a,b}`; a part that is `**` stands for any number of
    /// folders. As in Java's globs a leading dot is an ordinary character. Compressed names (`.gz`, `.bz2`, `.zip`, `.xz`,
    /// `.zst`, `.lz4`) never match.
    public var pattern: String
    /// Default: `.endOfFile`. Files that appear later are always read from their first byte.
    public var initialPosition: InitialPosition = .endOfFile
    /// Lines at the start of each file that are not records. Default 0.
    public var skipHeaderLines = 0
    /// Whether a line (without its newline) starts a record; lines that do not are joined to the record before them.
    /// Default nil: each line is a record.
    public var multiLineStart: (@Sendable (UnsafeRawBufferPointer) -> Bool)?
    /// How long a multi-line record at the end of a file waits for its next line. Default 5 s.
    public var multiLineQuiet: Duration = .seconds(5)
    /// The longest record, in bytes without its newline; longer lines are cut into several records at UTF-8 boundaries.
    /// At least 16. Default 1 MiB - 256, which leaves room for a partition key.
    public var maxRecordBytes = 1_048_576 - 256
    /// Bytes asked of the system in one read. Default 256 KiB.
    public var readChunkBytes = 262_144
    /// Descriptors kept open between calls. Default 256; the agent shares out what its process may open. Files with unread bytes come first; a deleted file always keeps
    /// its own.
    public var maxOpenFiles = 256
    /// How often `refresh` should be called by the owner. Default 250 ms. `FileTail` holds no timer of its own.
    public var refreshInterval: Duration = .milliseconds(250)
    /// Whether a record keeps the newline that ended it. Default true.
    public var keepNewline = true
    /// Whether a record that was cut off without a newline, because its file seemed complete, is given one: for a
    /// destination that joins records. Default false.
    public var endsCutRecords = false
    /// How long a rotated file must be unchanged before its unterminated last line is taken as complete, when the system
    /// cannot tell whether somebody still has it open for writing. Default 5 s.
    public var rotatedQuiet: Duration = .seconds(5)
    /// How long a deleted file that was read to its end is kept open (its space on the disk is not freed meanwhile), when
    /// the system cannot tell whether somebody still writes to it. Default 5 minutes.
    public var deletedQuiet: Duration = .seconds(300)
    /// How long a file that cannot be found any more is remembered. Default 7 days.
    public var rememberMissing: Duration = .seconds(7 * 86_400)

    /// A configuration with the defaults named above.
    public init(pattern: String, initialPosition: InitialPosition = .endOfFile) {
        self.pattern = pattern
        self.initialPosition = initialPosition
    }
}
