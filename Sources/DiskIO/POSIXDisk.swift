import CPOSIX
import Glibc
import Synchronization

/// The machine's file system.
public struct POSIXDisk: Disk {
    /// There is one.
    public init() {}

    public func open(_ path: String, _ access: DiskAccess) throws(DiskError) -> any DiskFile {
        try POSIXFile(path, access)
    }

    public func makeFolder(_ path: String) throws(DiskError) -> Bool {
        if mkdir(path, 0o700) == 0 { return true }
        guard errno == EEXIST else { throw DiskError("mkdir", path) }
        return false
    }

    public func list(_ path: String) throws(DiskError) -> [String] {
        guard let folder = opendir(path) else { throw DiskError("opendir", path) }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            // nil is the end or an error, and errno alone tells.
            errno = 0
            guard let entry = readdir(folder) else {
                if errno != 0 { throw DiskError("readdir", path) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    public func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    public func syncFolder(_ path: String) throws(DiskError) {
        let file = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw DiskError("open", path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw DiskError("fsync", path) }
    }

    public func move(_ from: String, to: String) throws(DiskError) {
        guard rename(from, to) == 0 else { throw DiskError("rename", from) }
    }

    public func remove(_ path: String) throws(DiskError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw DiskError("unlink", path) }
    }

    public func removeFolder(_ path: String) throws(DiskError) {
        for name in try list(path) {
            let inner = path + "/" + name
            if unlink(inner) == 0 { continue }
            guard errno == EISDIR || errno == EPERM else { throw DiskError("unlink", inner) }
            try removeFolder(inner)
        }
        guard rmdir(path) == 0 else { throw DiskError("rmdir", path) }
    }

    public func freeBytes(_ path: String) throws(DiskError) -> UInt64 {
        var information = statvfs()
        guard statvfs(path, &information) == 0 else { throw DiskError("statvfs", path) }
        return UInt64(information.f_bavail) * UInt64(information.f_frsize)
    }

    public func removeEmptyFolder(_ path: String) throws(DiskError) -> Bool {
        if rmdir(path) == 0 { return true }
        guard errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT else { throw DiskError("rmdir", path) }
        return false
    }
}

/// An open file of the machine's.
final class POSIXFile: DiskFile {
    let path: String
    private let file: Int32
    private let passesCache = Atomic(false)
    /// The file system can't, or not with the writes that there are.
    private let cannotPass = Atomic(false)

    init(_ path: String, _ access: DiskAccess) throws(DiskError) {
        let flags =
            switch access {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .create: O_RDWR | O_CREAT
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        file = open(path, flags | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw DiskError("open", path) }
        self.path = path
    }

    deinit { close(file) }

    func size() throws(DiskError) -> UInt64 {
        var information = stat()
        guard fstat(file, &information) == 0 else { throw DiskError("fstat", path) }
        return UInt64(information.st_size)
    }

    /// What the system takes in one call (IOV_MAX).
    private static let pieceLimit = 1024

    func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64) throws(DiskError) {
        var failure: DiskError?
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: min(pieces.count, Self.pieceLimit)) { vectors in
            do throws(DiskError) {
                try write(pieces, at: offset, vectors)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func write(
        _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>,
        at start: UInt64,
        _ vectors: UnsafeMutableBufferPointer<iovec>
    ) throws(DiskError) {
        var offset = off_t(start)
        // The next piece, and how much of it is written.
        var (next, done) = (0, 0)
        while next < pieces.count {
            let count = min(pieces.count - next, vectors.count)
            for index in 0..<count {
                let piece = UnsafeRawBufferPointer(rebasing: pieces[next + index].dropFirst(index == 0 ? done : 0))
                vectors[index] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress),
                    iov_len: piece.count
                )
            }
            var written = pwritev(file, vectors.baseAddress!, Int32(count), offset)
            if written < 0 {
                if errno == EINTR { continue }
                // Not in whole blocks of this file system, or the rest of a write that was cut short.
                if errno == EINVAL || errno == EOPNOTSUPP, goesThroughCache() { continue }
                throw DiskError("pwritev", path)
            }
            offset += off_t(written)
            while next < pieces.count, written >= pieces[next].count - done {
                written -= pieces[next].count - done
                (next, done) = (next + 1, 0)
            }
            done += written
        }
    }

    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
        var done = 0
        while done < bytes.count {
            let count = pread(file, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EINVAL, goesThroughCache() { continue }
                throw DiskError("pread", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func sync() throws(DiskError) {
        guard fdatasync(file) == 0 else { throw DiskError("fdatasync", path) }
    }

    func syncAll() throws(DiskError) {
        guard millrace_syncfs(file) == 0 else { throw DiskError("syncfs", path) }
    }

    func writeOut(waits: Bool) throws(DiskError) {
        if millrace_write_out(file, waits ? 1 : 0) == 0 { return }
        switch errno {
        // A system, or what it lets a service call, that has no such thing: the sync does it all.
        case ENOSYS, EPERM, EINVAL, ESPIPE: return
        default: throw DiskError("sync_file_range", path)
        }
    }

    func passCache(_ passes: Bool) {
        if passesCache.load(ordering: .relaxed) == passes || cannotPass.load(ordering: .relaxed) { return }
        let isDone = millrace_pass_cache(file, passes ? 1 : 0) == 0
        if isDone { passesCache.store(passes, ordering: .relaxed) } else { cannotPass.store(true, ordering: .relaxed) }
    }

    /// Ends what `passCache` began, for good; false when it had not begun, or goes on.
    private func goesThroughCache() -> Bool {
        guard passesCache.load(ordering: .relaxed) else { return false }
        passCache(false)
        cannotPass.store(true, ordering: .relaxed)
        return !passesCache.load(ordering: .relaxed)
    }

    func truncate(to size: UInt64) throws(DiskError) {
        guard ftruncate(file, off_t(size)) == 0 else { throw DiskError("ftruncate", path) }
    }

    func lock() throws(DiskError) -> Bool {
        if flock(file, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw DiskError("flock", path)
    }
}
