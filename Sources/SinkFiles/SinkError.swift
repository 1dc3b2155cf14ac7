import Glibc

/// Why a sink could not do something: what, where, why, and what to do about it.
public struct SinkError: Error, Sendable, CustomStringConvertible {
    /// What to branch on.
    public enum Code: Sendable, Equatable {
        /// A prefix or its pattern is not understood.
        case prefix
        /// An object's name would leave the sink's folder or can't be a file's name.
        case unsafeName
        /// The file system or the quota is full.
        case noSpace
        /// The folder may not be written.
        case denied
        /// A file that should be there is not.
        case missing
        /// Any other refusal of the operating system.
        case failed
    }

    /// What to branch on.
    public let code: Code
    /// The system's error number, 0 when none was involved.
    public let errno: CInt
    /// The whole sentence.
    public let description: String

    init(prefix reason: String) {
        code = .prefix
        errno = 0
        description = reason
    }

    init(unsafeName name: String, _ reason: String) {
        code = .unsafeName
        errno = 0
        description = "object name '\(name)' refused: \(reason)"
    }

    init(_ operation: String, _ path: String, errno: CInt) {
        self.errno = errno
        let remedy: String
        switch errno {
        case ENOSPC, EDQUOT:
            code = .noSpace
            remedy = "; free space there: delivery tries again by itself, nothing is lost"
        case EACCES, EPERM, EROFS:
            code = .denied
            remedy = "; let this process's user write there: delivery tries again by itself, nothing is lost"
        case ENOENT:
            code = .missing
            remedy = ""
        default:
            code = .failed
            remedy = ""
        }
        description = "can't \(operation) \(path): \(String(cString: strerror(errno)))\(remedy)"
    }
}
