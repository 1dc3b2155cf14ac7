import Glibc
import StateStore
import Synchronization

/// Keeps a second process off a state database, by an advisory lock on a file beside it that ends with the process.
final class StateFileLock: Sendable {
    /// Nil when released.
    private let descriptor: Mutex<Int32?>

    /// Takes the lock on `path`-lock.
    init(for path: String) throws(StateStoreError) {
        let descriptor = open(path + "-lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .unavailable(
                "can't create \(path)-lock: \(String(cString: strerror(errno))); "
                    + "check that the folder exists and belongs to this user",
                retryAfter: .seconds(1)
            )
        }
        self.descriptor = Mutex(descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw .unavailable(
                "the state database \(path) is in use by another process; end that process first",
                retryAfter: .seconds(1)
            )
        }
    }

    deinit { release() }

    /// Lets another process in.
    func release() {
        descriptor.withLock { descriptor in
            if let open = descriptor { close(open) }
            descriptor = nil
        }
    }

    /// Syncs the folder that holds `path`, so that a new file's name survives a power cut.
    static func syncFolder(of path: String) throws(StateStoreError) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw .unavailable(
                "can't sync the folder \(folder): \(String(cString: strerror(errno)))",
                retryAfter: .seconds(1)
            )
        }
    }
}
