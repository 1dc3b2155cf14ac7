import Glibc
import Synchronization

/// A lock that one process holds on behalf of a shard's files. The system frees it when the process ends, however it ends.
final class FolderLock: Sendable {
    let path: String
    private let descriptor: Mutex<CInt>

    /// Opens `<root>/.locks/<name>`, making it when needed. Throws ``FileError``.
    init(root: String, name: String) throws(FileError) {
        let folder = "\(root)/.locks"
        path = "\(folder)/\(name)"
        for part in Self.parents(of: folder) + [folder] where mkdir(part, 0o750) != 0 && errno != EEXIST {
            throw FileError("make folder", part)
        }
        let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard opened >= 0 else { throw FileError("open", path) }
        descriptor = Mutex(opened)
    }

    deinit { unlock() }

    /// Takes the lock; false when another holds it.
    func tryLock() throws(FileError) -> Bool {
        let code = descriptor.withLock { flock($0, LOCK_EX | LOCK_NB) == 0 ? 0 : errno }
        guard code == 0 || code == EWOULDBLOCK || code == EINTR else { throw FileError("lock", path, errno: code) }
        return code == 0
    }

    /// Gives the lock back, for good.
    func unlock() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    private static func parents(of path: String) -> [String] {
        let parts = path.split(separator: "/")
        return (1..<max(1, parts.count)).map {
            (path.hasPrefix("/") ? "/" : "") + parts.prefix($0).joined(separator: "/")
        }
    }
}
