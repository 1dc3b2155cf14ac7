/// Something about the files that their owner may want to log or count.
public struct FileTailNotice: Sendable, Equatable {
    /// What happened.
    public enum Kind: Sendable, Equatable {
        /// A file is read from `offset` on.
        case discovered(offset: Int64)
        /// A file has a new name. Its reading goes on.
        case renamed(from: String)
        /// A file was cut short, or written anew in place. Its former content was a generation of its own, of which
        /// `unreadBytes` known bytes were not read: a copy of them is looked for.
        case truncated(unreadBytes: Int64)
        /// The former content of a truncated file was found in a copy, and its reading goes on there.
        case continuedInCopy(of: String)
        /// Another file stands under the name. Reading of the former one goes on.
        case replaced
        /// A file was deleted. `unreadBytes` are still read, because it was open.
        case deleted(unreadBytes: Int64)
        /// A file cannot be found any more, and `unreadBytes` known bytes of it were not read; 0 when it was not held open
        /// and may have grown unseen.
        case lost(unreadBytes: Int64)
        /// A rotated file was read to its end.
        case finished
        /// A file begins with so many bytes of a hole, left by a writer that kept its place when the file was truncated: no
        /// line is in it.
        case holeSkipped(bytes: Int64)
        /// A file has the same content as one that is read already: it is not read as long as that is so.
        case copyHeld(of: String)
        /// A file cannot be opened or read, with the system's error number.
        case unreadable(Int32)
        /// A file can be read again.
        case readableAgain
        /// A folder cannot be listed, with the system's error number.
        case folderUnreadable(Int32)
        /// A name is not UTF-8, and so cannot be read.
        case nameUnusable
    }

    /// What happened.
    public var kind: Kind
    /// The generation concerned, if any.
    public var source: SourceID?
    /// The path concerned.
    public var path: String

    /// Whether somebody should look at it: something is or may be missing.
    public var isWarning: Bool {
        switch kind {
        case .truncated(let unread): unread > 0
        case .lost: true
        case .unreadable, .folderUnreadable, .nameUnusable, .copyHeld: true
        default: false
        }
    }

    /// One sentence for people: what, where, and what to do.
    public var message: String {
        switch kind {
        case .discovered(let offset): "reading \(path) from offset \(offset)"
        case .renamed(let from): "\(from) is now \(path); reading goes on"
        case .truncated(0): "\(path) was truncated; all known bytes had been read"
        case .truncated(let unread):
            "\(path) was truncated with \(unread) bytes unread; looking for a copy of them beside it"
        case .continuedInCopy(let original): "reading what was in \(original) goes on in its copy \(path)"
        case .replaced: "another file took the name \(path); reading of the former one goes on"
        case .deleted(let unread): "\(path) was deleted; the \(unread) unread bytes are still read"
        case .lost(0):
            "\(path) is gone; all known bytes had been read, but it was not held open, so what was written to it last is not "
                + "known. Let the agent open more files: raise LimitNOFILE, or ulimit -n"
        case .lost(let unread):
            "\(path) is gone with \(unread) bytes unread; keep rotated files for longer, without compressing them at once"
        case .finished: "\(path) is read to its end"
        case .copyHeld(let original):
            "\(path) repeats \(original) byte for byte and is not read while it does; exclude copies from the pattern"
        case .holeSkipped(let bytes):
            "\(path) begins with a hole of \(bytes) bytes, which is skipped; let its writer open it for appending"
        case .unreadable(let code): "cannot read \(path): \(SystemText.describe(code)). \(SystemText.advice(code))"
        case .readableAgain: "\(path) can be read again"
        case .folderUnreadable(let code):
            "cannot list \(path): \(SystemText.describe(code)). \(SystemText.advice(code))"
        case .nameUnusable: "a name in \(path) is not UTF-8 and is not read; rename it"
        }
    }
}
