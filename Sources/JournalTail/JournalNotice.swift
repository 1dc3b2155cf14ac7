/// Something about the journal that its owner may want to log or count.
public enum JournalNotice: Sendable, Equatable {
    /// `count` entries of a numbering are missing before number `sequence`: journald removed or lost them before they
    /// could be read. Only known when everything is read, without matches.
    case gap(source: UInt64, count: Int64, sequence: Int64)
    /// The last acknowledged entry is gone, and how many after it cannot be told.
    case gapOfUnknownSize
    /// A new numbering begins.
    case newNumbering(source: UInt64, seqnumID: String)
    /// The saved cursor lies beyond the journal's end (it was rolled back or wiped): reading starts over.
    case cursorBeyondEnd
    /// The journal was opened anew after an error of this number; nothing is lost by that.
    case reopened(error: Int32)
    /// Files of the journal exist that may not be read.
    case unreadable(path: String, error: Int32)
    /// They can be read again.
    case readableAgain
    /// The journal cannot be opened, with the error's number. It is tried again.
    case cannotOpen(error: Int32)

    /// Whether somebody should look at it.
    public var isWarning: Bool {
        switch self {
        case .newNumbering, .reopened, .readableAgain: false
        default: true
        }
    }

    /// One sentence for people: what, where, and what to do.
    public var message: String {
        switch self {
        case .gap(_, let count, let sequence):
            """
            \(count) journal entries before number \(sequence) were removed or damaged before they could be read; raise \
            SystemMaxUse in journald.conf if the agent was far behind
            """
        case .gapOfUnknownSize:
            "the last acknowledged journal entry is gone, and an unknown number of those behind it"
        case .newNumbering(_, let id): "the journal has a new numbering \(id)"
        case .cursorBeyondEnd:
            "the saved place lies behind the journal's end: it was rolled back or wiped; reading starts over"
        case .reopened(let code):
            "the journal was opened anew after: \(JournalText.describe(code)); nothing is lost by that"
        case .unreadable(let path, let code):
            """
            cannot read \(path): \(JournalText.describe(code)). Without that libsystemd finds no entries; add the agent's \
            user to the group systemd-journal
            """
        case .readableAgain: "the journal can be read again"
        case .cannotOpen(let code):
            "cannot open the journal: \(JournalText.describe(code)); it is tried again each second"
        }
    }
}
