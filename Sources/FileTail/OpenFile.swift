import Glibc

/// A file open for reading, closed when it goes.
final class OpenFile {
    let descriptor: Int32

    /// nil with errno set when it cannot be opened. Never waits, whatever the path is.
    init?(path: String) {
        let opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        // Before the property is set: a finished object would close it, and errno with it.
        if opened < 0 { return nil }
        descriptor = opened
    }

    deinit { close(descriptor) }

    var status: FileStatus? { FileStatus(descriptor: descriptor) }

    var birth: Int64 { FileBirth.nanoseconds(descriptor: descriptor) }

    /// Fills `buffer` from `offset` on, as far as the file goes. The number of bytes, or nil with errno set.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        var done = 0
        while done < buffer.count {
            let rest = buffer.baseAddress.map { $0 + done }
            let count = pread(descriptor, rest, buffer.count - done, off_t(offset) + done)
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Up to `count` bytes from `offset` on; nil with errno set on an error.
    func bytes(at offset: Int64, count: Int) -> [UInt8]? {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let done = read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            failed = done == nil
            initialized = done ?? 0
        }
        return failed ? nil : bytes
    }

    /// The end of a hole at the file's start and of the zeros behind it, 0 when there is no hole. A writer that keeps its
    /// place leaves one when its file is truncated under it.
    func holeEnd(upTo size: Int64) -> Int64 {
        let data = lseek(descriptor, 0, Self.seekData)
        guard data > 0 else { return 0 }
        // The last block of the hole is written, with zeros up to where the writer stood.
        var offset = Int64(data)
        while offset < min(size, Int64(data) + 1_048_576) {
            guard let bytes = bytes(at: offset, count: 65_536), !bytes.isEmpty else { return Int64(data) }
            if let first = bytes.firstIndex(where: { $0 != 0 }) { return offset + Int64(first) }
            offset += Int64(bytes.count)
        }
        return offset
    }

    /// The path that the system knows it by now; nil when it was deleted or cannot be told.
    var currentPath: String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
        guard count > 0, count < buffer.count, buffer[0] == UInt8(ascii: "/") else { return nil }
        return String(validating: buffer[..<count], as: UTF8.self)
    }

    /// SEEK_DATA of lseek(2), which Swift's Glibc module leaves out.
    private static let seekData: Int32 = 3

    enum Writers { case none, some, unknown }

    /// Whether anybody has it open for writing. The system grants a read lease only when nobody has; it is given back at
    /// once. It needs the file's owner or CAP_LEASE. The signal that would tell of a broken lease is one that is ignored.
    var writers: Writers {
        guard fcntl(descriptor, Self.setSignal, SIGURG) == 0 else { return .unknown }
        if fcntl(descriptor, Self.setLease, Int32(F_RDLCK)) == 0 {
            _ = fcntl(descriptor, Self.setLease, Int32(F_UNLCK))
            return .none
        }
        return errno == EAGAIN ? .some : .unknown
    }

    /// F_SETSIG and F_SETLEASE, which Swift's Glibc module leaves out.
    private static let setSignal: Int32 = 10
    private static let setLease: Int32 = 1024
}
