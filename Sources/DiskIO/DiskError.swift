import Glibc

/// Why the file system refused something.
public struct DiskError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The system call's name.
    public var operation: String
    /// What it was about.
    public var path: String
    /// The error number. See: man 3 errno.
    public var number: Int32

    /// An error; `number` defaults to the thread's `errno`.
    public init(_ operation: String, _ path: String, number: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.number = number
    }

    /// Whether it passes when space is made.
    public var isOutOfSpace: Bool { number == ENOSPC || number == EDQUOT }

    /// Whether there is something of that name already.
    public var isOccupied: Bool { number == EEXIST }

    /// Whether there is nothing of that name.
    public var isMissing: Bool { number == ENOENT }

    public var description: String {
        let advice =
            switch number {
            case ENOSPC, EDQUOT: "; make space, and work goes on by itself"
            case EACCES, EPERM: "; let this user read and write it, or name another folder"
            case EMFILE, ENFILE: "; raise the limit of open files (ulimit -n)"
            case EROFS: "; the file system is mounted read-only"
            default: ""
            }
        return "\(path): \(operation): \(String(cString: strerror(number)))\(advice)"
    }
}
