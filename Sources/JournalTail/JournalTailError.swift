import Glibc

/// Why a journal cannot be followed at all.
public enum JournalTailError: Error, Equatable, Sendable {
    /// A match that is not `FIELD=value`.
    case badMatch(String)
    /// No event descriptor or thread could be made, with the system's error number.
    case outOfResources(Int32)
}

extension JournalTailError: CustomStringConvertible {
    /// One sentence for people.
    public var description: String {
        switch self {
        case .badMatch(let match): "the journal match \"\(match)\" is not FIELD=value, as in _SYSTEMD_UNIT=ssh.service"
        case .outOfResources(let code):
            "cannot start reading the journal: \(JournalText.describe(code)); raise LimitNOFILE and TasksMax"
        }
    }
}

/// The system's error numbers in words.
enum JournalText {
    /// Takes libsystemd's negative numbers too.
    static func describe(_ code: Int32) -> String {
        guard let text = strerror(abs(code)) else { return "error \(code)" }
        return String(cString: text)
    }
}
