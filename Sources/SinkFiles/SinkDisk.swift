import Glibc

/// The system calls a sink makes, by name.
public enum SinkStep: String, Sendable, CaseIterable {
    /// `mkdir`
    case makeFolder
    /// `open` of a new file
    case open
    /// `write`
    case write
    /// `fsync` of a file
    case syncFile
    /// `rename`
    case rename
    /// `fsync` of a folder
    case syncFolder
    /// `unlink`
    case remove
    /// `stat`
    case look
    /// reading a folder
    case list
}

/// Called before each system call; what it returns, unless 0, is the error the call is taken to have failed with. Tests
/// stop a program or fill a disk with it.
public typealias SinkFault = @Sendable (SinkStep, _ path: String) -> CInt

/// The system calls, each with its error.
struct SinkDisk: Sendable {
    let fault: SinkFault?

    private func check(_ step: SinkStep, _ path: String, _ call: () -> CInt) throws(SinkError) -> CInt {
        if let fault {
            let errno = fault(step, path)
            if errno != 0 { throw SinkError(step.verb, path, errno: errno) }
        }
        while true {
            let result = call()
            if result >= 0 { return result }
            if errno != EINTR { throw SinkError(step.verb, path, errno: errno) }
        }
    }

    /// True when it was made, false when it was there.
    func makeFolder(_ path: String) throws(SinkError) -> Bool {
        try check(.makeFolder, path) {
            if mkdir(path, 0o750) == 0 { return 1 }
            var status = stat()
            let failure = errno
            if failure == EEXIST, stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return 0 }
            errno = failure == EEXIST ? ENOTDIR : failure
            return -1
        } == 1
    }

    func create(_ path: String) throws(SinkError) -> CInt {
        try check(.open, path) { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, _ path: String) throws(SinkError) {
        var rest = bytes
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
            let count = try check(.write, path) { CInt(Glibc.write(descriptor, part.baseAddress, part.count)) }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(Int(count)))
        }
    }

    func syncFile(_ descriptor: CInt, _ path: String) throws(SinkError) {
        // A second fsync after a failed one may claim success without having written, so an error is never retried here.
        _ = try check(.syncFile, path) { fsync(descriptor) }
    }

    func syncFolder(_ path: String) throws(SinkError) {
        _ = try check(.syncFolder, path) {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { return -1 }
            let result = fsync(descriptor)
            let failure = errno
            close(descriptor)
            errno = failure
            return result
        }
    }

    func rename(_ from: String, to path: String) throws(SinkError) {
        _ = try check(.rename, path) { Glibc.rename(from, path) }
    }

    /// Removing what is not there succeeds.
    func remove(_ path: String) throws(SinkError) {
        _ = try check(.remove, path) { unlink(path) == 0 || errno == ENOENT ? 0 : -1 }
    }

    /// The file's size in bytes, nil when there is none.
    func size(_ path: String) throws(SinkError) -> Int? {
        var status = stat()
        let found = try check(.look, path) { stat(path, &status) == 0 ? 1 : errno == ENOENT ? 0 : -1 }
        return found == 1 ? Int(status.st_size) : nil
    }

    /// Names in a folder; none when there is no folder.
    func list(_ path: String) throws(SinkError) -> [String] {
        var names: [String] = []
        _ = try check(.list, path) {
            guard let folder = opendir(path) else { return errno == ENOENT ? 0 : -1 }
            defer { closedir(folder) }
            names = []
            while true {
                // nil is the end or an error, and errno alone tells.
                errno = 0
                guard let entry = readdir(folder) else { return errno == 0 ? 0 : -1 }
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { names.append(name) }
            }
        }
        return names.sorted()
    }
}

extension SinkStep {
    fileprivate var verb: String {
        switch self {
        case .makeFolder: "make the folder"
        case .open: "create"
        case .write: "write to"
        case .syncFile: "sync"
        case .rename: "move the finished file to"
        case .syncFolder: "sync the folder"
        case .remove: "remove"
        case .look: "look at"
        case .list: "list the folder"
        }
    }
}
