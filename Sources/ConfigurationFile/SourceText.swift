import Glibc

/// A configuration file's text, for finding the line of a byte.
public struct SourceText: Sendable {
    /// As it was given by the user.
    public let path: String
    /// The content.
    public let bytes: [UInt8]
    private let lineStarts: [Int]

    /// A text that was read; `path` is for messages.
    public init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
        lineStarts = [0] + bytes.indices.filter { bytes[$0] == 0x0A }.map { $0 + 1 }
    }

    /// The line of a byte, from 1.
    public func line(of offset: Int) -> Int {
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low + 1
    }

    /// Reads a file.
    public init(file path: String) throws(ConfigurationProblems) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unreadable(path, "can't be opened") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.unreadable(path, "can't be read") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        self.init(path: path, bytes: bytes)
    }

    private static func unreadable(_ path: String, _ what: String) -> ConfigurationProblems {
        let reason = String(cString: strerror(errno))
        let message = "\(what): \(reason); check the path after --config, and that this user may read it"
        return ConfigurationProblems(
            problems: [ConfigurationProblem(file: path, line: 0, keyPath: "", message: message)]
        )
    }
}
