import Glibc

/// The file system, with errors as values. Every call is the system call of its name.
public enum Disk {
    /// Makes a folder with its parents, mode 0700, and makes the names durable.
    public static func makeFolders(_ path: String) throws(DiskError) {
        if mkdir(path, 0o700) == 0 {
            try syncFolder(parent(path))
            return
        }
        if errno == EEXIST {
            // Whoever made it may not have lived to make its name durable.
            try syncFolder(parent(path))
            return
        }
        guard errno == ENOENT, path.contains("/") else { throw DiskError("mkdir", path) }
        try makeFolders(parent(path))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw DiskError("mkdir", path) }
        try syncFolder(parent(path))
    }

    /// The names in a folder, sorted, without `.` and `..`.
    public static func list(_ path: String) throws(DiskError) -> [String] {
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

    /// Whether there is something of that name.
    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes the names in a folder durable.
    public static func syncFolder(_ path: String) throws(DiskError) {
        let file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw DiskError("open", path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw DiskError("fsync", path) }
    }

    /// Moves a name; durable after `syncFolder` of both folders.
    public static func move(_ from: String, to: String) throws(DiskError) {
        guard rename(from, to) == 0 else { throw DiskError("rename", from) }
    }

    /// Removes a file. Succeeds when there is none.
    public static func remove(_ path: String) throws(DiskError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw DiskError("unlink", path) }
    }

    /// Removes a folder with all that is in it.
    public static func removeFolder(_ path: String) throws(DiskError) {
        for name in try list(path) {
            let inner = path + "/" + name
            if unlink(inner) == 0 { continue }
            guard errno == EISDIR || errno == EPERM else { throw DiskError("unlink", inner) }
            try removeFolder(inner)
        }
        guard rmdir(path) == 0 else { throw DiskError("rmdir", path) }
    }

    /// Writes a small file whole or not at all, durably.
    public static func replace(_ path: String, with bytes: [UInt8]) throws(DiskError) {
        let temporary = path + ".new"
        let file = try DiskFile(temporary, flags: O_WRONLY | O_CREAT | O_TRUNC)
        try bytes.withUnsafeBufferPointer { bytes throws(DiskError) in
            try file.write(UnsafeRawBufferPointer(bytes), at: 0)
        }
        try file.sync()
        try move(temporary, to: path)
        try syncFolder(parent(path))
    }

    /// The folder a path's last name stands in.
    public static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// An open file. Closed with its last reference.
public final class DiskFile: Sendable {
    /// Where it was opened.
    public let path: String
    private let file: Int32

    /// Opens a file; `O_CLOEXEC` is added, and mode 0600 for a new one.
    public init(_ path: String, flags: Int32) throws(DiskError) {
        file = open(path, flags | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw DiskError("open", path) }
        self.path = path
    }

    deinit { close(file) }

    /// Bytes in the file.
    public func size() throws(DiskError) -> UInt64 {
        var information = stat()
        guard fstat(file, &information) == 0 else { throw DiskError("fstat", path) }
        return UInt64(information.st_size)
    }

    /// Writes all bytes at an offset.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(file, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskError("pwrite", path)
            }
            done += count
        }
    }

    /// Writes two pieces one behind the other, in one call where the system takes them whole.
    public func write(
        _ first: UnsafeRawBufferPointer,
        then second: UnsafeRawBufferPointer,
        at offset: UInt64
    ) throws(DiskError) {
        var count = 0
        repeat {
            count = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces in
                pieces[0] = iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
                pieces[1] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress),
                    iov_len: second.count
                )
                return pwritev(file, pieces.baseAddress!, 2, off_t(offset))
            }
        } while count < 0 && errno == EINTR
        if count < 0 { throw DiskError("pwritev", path) }
        if count < first.count {
            try write(UnsafeRawBufferPointer(rebasing: first[count...]), at: offset + UInt64(count))
            try write(second, at: offset + UInt64(first.count))
        } else if count < first.count + second.count {
            let done = count - first.count
            try write(UnsafeRawBufferPointer(rebasing: second[done...]), at: offset + UInt64(count))
        }
    }

    /// Reads up to the buffer's size; returns the bytes read, fewer only at the file's end.
    public func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
        var done = 0
        while done < bytes.count {
            let count = pread(file, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskError("pread", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Reads `count` bytes, or what there is of them.
    public func read(_ count: Int, at offset: UInt64) throws(DiskError) -> [UInt8] {
        var failure: DiskError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DiskError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Makes data and size durable (fdatasync).
    public func sync() throws(DiskError) {
        guard fdatasync(file) == 0 else { throw DiskError("fdatasync", path) }
    }

    /// Cuts the file.
    public func truncate(to size: UInt64) throws(DiskError) {
        guard ftruncate(file, off_t(size)) == 0 else { throw DiskError("ftruncate", path) }
    }

    /// Takes the file for this process alone; false when another one has it.
    public func lock() throws(DiskError) -> Bool {
        if flock(file, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw DiskError("flock", path)
    }
}
