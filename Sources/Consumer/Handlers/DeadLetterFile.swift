import Glibc

/// Where batches go that were given up: one ``RecordLine`` per record, appended and synced before the checkpoint moves on.
public actor DeadLetterFile {
    /// The file's path.
    public let path: String

    /// Names a file; it is made with the first batch, mode 0640.
    public init(path: String) { self.path = path }

    /// Appends a batch durably. Throws ``FileError``; a batch that was half written is written again whole.
    public func append(_ records: [ConsumedRecord], shard: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw FileError("open", path) }
        defer { close(descriptor) }
        try FileError.writeAll(RecordLine.lines(records, shard: shard), to: descriptor, path)
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
