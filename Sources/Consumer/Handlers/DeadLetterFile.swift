import Glibc

/// Where batches go that were given up: one ``RecordLine`` per record, appended and synced before the checkpoint moves on.
public actor DeadLetterFile {
    /// The file's path.
    public let path: String

    /// Names a file; it is made with the first batch, mode 0640.
    public init(path: String) { self.path = path }

    /// Appends a batch durably. Throws ``FileError``; a batch that was half written is written again whole, behind the torn
    /// line.
    public func append(_ records: [ConsumedRecord], shard: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        var last: UInt8 = 0x0A
        let size = lseek(descriptor, 0, SEEK_END)
        guard size >= 0, size == 0 || pread(descriptor, &last, 1, size - 1) == 1 else { throw FileError("read", path) }
        let start: [UInt8] = last == 0x0A ? [] : [0x0A]
        try FileError.writeAll(start + RecordLine.lines(records, shard: shard), to: descriptor, path)
        guard fdatasync(descriptor) == 0 else { throw FileError("sync", path) }
    }
}

/// A file operation that failed.
public struct FileError: Error, Sendable, CustomStringConvertible {
    /// The operation.
    public let operation: String
    /// The file.
    public let path: String
    /// The system's error number.
    public let errno: CInt

    init(_ operation: String, _ path: String, errno: CInt = Glibc.errno) {
        self.operation = operation
        self.path = path
        self.errno = errno
    }

    public var description: String { "\(path): \(operation) failed: \(String(cString: strerror(errno)))" }

    static func writeAll(_ bytes: [UInt8], to descriptor: CInt, _ path: String) throws(FileError) {
        var at = 0
        while at < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress?.advanced(by: at), bytes.count - at) }
            if count < 0, Glibc.errno == EINTR { continue }
            guard count >= 0 else { throw FileError("write", path) }
            at += count
        }
    }
}
