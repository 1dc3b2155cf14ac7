import DiskIO
import Glibc

/// What the system says of a file: enough to tell whether it was changed, and who may read it.
struct KeyFileStatus: Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let mode: UInt32
    private let changed: [Int]

    /// Follows symbolic links. Throws `DiskError`.
    init(_ path: String) throws(DiskError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw DiskError("stat", path) }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        mode = UInt32(status.st_mode)
        changed = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
    }

    var isFolder: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFDIR) }
    var isFile: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
    /// Larger than any key.
    var isLarge: Bool { size > 1 << 20 }
    /// Whether users other than its owner may read or change it.
    var isOpenToOthers: Bool { mode & 0o066 != 0 }
    /// Such as `0644`.
    var permissions: String {
        let text = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - text.count)) + text
    }

    /// Why a file with this status is no safe place for a key; nil when it is one.
    func objection(_ path: String) -> String? {
        if !isFile { return "\(path): is no file" }
        if isOpenToOthers {
            return "\(path): mode \(permissions) lets other users read or change the key: chmod 600 it"
        }
        return isLarge ? "\(path): is too large for keys" : nil
    }
}
