import Glibc

/// Which inode on which device.
struct FileKey: Hashable {
    var device: UInt64
    var inode: UInt64
}

/// What the system says of a file without opening it.
struct FileStatus: Equatable {
    var key: FileKey
    var size: Int64
    /// When its content changed last, nanoseconds since 1970.
    var modified: Int64
    var links: UInt64
    var isRegular: Bool
    var isFolder: Bool

    /// Follows symbolic links. nil with errno set when there is no such file.
    init?(path: String) {
        var answer = stat()
        guard stat(path, &answer) == 0 else { return nil }
        self.init(answer)
    }

    init?(descriptor: Int32) {
        var answer = stat()
        guard fstat(descriptor, &answer) == 0 else { return nil }
        self.init(answer)
    }

    private init(_ answer: stat) {
        key = FileKey(device: UInt64(answer.st_dev), inode: UInt64(answer.st_ino))
        size = Int64(answer.st_size)
        modified = Int64(answer.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(answer.st_mtim.tv_nsec)
        links = UInt64(answer.st_nlink)
        isRegular = answer.st_mode & S_IFMT == S_IFREG
        isFolder = answer.st_mode & S_IFMT == S_IFDIR
    }
}

/// When an inode was made, which tells a new file from an old one whose inode number it got.
enum FileBirth {
    /// Nanoseconds since 1970; 0 when the file system does not tell.
    static func nanoseconds(descriptor: Int32) -> Int64 {
        guard let statx else { return 0 }
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { answer in
            guard statx(descriptor, "", emptyPath, wantBirth, answer.baseAddress) == 0,
                answer.load(fromByteOffset: maskOffset, as: UInt32.self) & wantBirth != 0
            else { return 0 }
            let seconds = answer.load(fromByteOffset: birthOffset, as: Int64.self)
            return seconds &* 1_000_000_000 &+ Int64(answer.load(fromByteOffset: birthOffset + 8, as: UInt32.self))
        }
    }

    private typealias Call =
        @convention(c) (
            Int32, UnsafePointer<CChar>, Int32, UInt32, UnsafeMutableRawPointer?
        ) -> Int32

    /// statx(2) and its constants are not in Swift's Glibc module, which leaves out what needs `_GNU_SOURCE`. The numbers
    /// are the kernel's interface: AT_EMPTY_PATH, STATX_BTIME, and where `stx_mask` and `stx_btime` lie in the answer.
    private static let statx: Call? = dlsym(nil, "statx").map { unsafeBitCast($0, to: Call.self) }
    private static let emptyPath: Int32 = 0x1000
    private static let wantBirth: UInt32 = 0x800
    private static let maskOffset = 0
    private static let birthOffset = 80
}
