/// Which journal to read, and what a record is.
public struct JournalTailConfiguration: Sendable {
    /// Where reading starts when there is no checkpoint.
    public enum InitialPosition: Sendable, Equatable {
        /// At the oldest entry of all boots.
        case head
        /// Behind the newest entry.
        case tail
    }

    /// What a record holds.
    public enum Format: Sendable, Equatable {
        /// One JSON object with every field, as `journalctl -o json` writes them: text as a string, a value that is not
        /// UTF-8 as an array of byte numbers, a repeated field as an array.
        case json
        /// The bytes of MESSAGE alone. An entry without one gives an empty record.
        case message
    }

    /// The folder of journal files; nil (the default) is this machine's own journal.
    public var directory: String?
    /// `FIELD=value` each. Those of one field are alternatives, different fields must all match. Default: none, which
    /// reads everything and makes gaps countable.
    public var matches: [String] = []
    /// Default: `.tail`.
    public var initialPosition: InitialPosition = .tail
    /// Default: `.json`.
    public var format: Format = .json
    /// Whether a JSON record has `__CURSOR` and `__MONOTONIC_TIMESTAMP` too; `__REALTIME_TIMESTAMP` it always has.
    /// Default false.
    public var includesCursor = false
    /// Whether a record ends in a newline. Default true.
    public var appendsNewline = true
    /// The longest record in bytes, without its newline. Values that do not fit are cut short at a UTF-8 boundary, and
    /// counted. At least 256. Default 1 MiB - 256.
    public var maxEntryBytes = 1_048_576 - 256
    /// Bytes that the reader holds ready ahead of `next`. Default 4 MiB.
    public var queueBytes = 4_194_304

    /// A configuration with the defaults named above.
    public init(directory: String? = nil) { self.directory = directory }
}
