import Glibc

/// Why files cannot be followed at all.
public enum FileTailError: Error, Equatable, Sendable {
    /// The pattern is not an absolute path with a file name. Carries what is wrong with it.
    case badPattern(String, reason: String)
    /// The process or the system is out of descriptors or memory, with the system's error number. Trying again later is
    /// right: nothing was changed.
    case outOfResources(Int32)
}

extension FileTailError: CustomStringConvertible {
    /// One sentence for people.
    public var description: String {
        switch self {
        case .badPattern(let pattern, let reason): "the file pattern \"\(pattern)\" \(reason)"
        case .outOfResources(let code):
            "cannot look at the files: \(SystemText.describe(code)). Raise LimitNOFILE or lower the number of open files"
        }
    }
}

/// The system's error numbers in words.
enum SystemText {
    static func describe(_ code: Int32) -> String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }

    static func advice(_ code: Int32) -> String {
        switch code {
        case EACCES, EPERM:
            "Add the agent's user to the file's group (often adm), or set an ACL: setfacl -m u:USER:r FILE"
        case EMFILE, ENFILE: "Raise LimitNOFILE"
        case EIO: "Check the disk"
        default: "It is tried again at each refresh"
        }
    }
}
