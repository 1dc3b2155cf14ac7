import Glibc

/// AWS's credentials file: INI sections with `aws_access_key_id` and `aws_secret_access_key`.
/// Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
public struct CredentialsFile: Sendable {
    /// Keys by section, sections by name.
    public private(set) var profiles: [String: [String: String]] = [:]

    /// Why a file can't be used.
    public struct Problem: Error, Sendable, CustomStringConvertible {
        /// What, where and what to do.
        public var description: String

        /// A problem in words.
        public init(description: String) { self.description = description }
    }

    /// Parses a file's text. Comments start with `#` or `;`; `[profile x]` and `[x]` are the same.
    public init(parsing text: String, path: String) throws(Problem) {
        var section = "default"
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let isIndented = line.first == " " || line.first == "\t"
            let line = Self.trimmed(line)
            // An indented line belongs to a nested setting, none of which is ours.
            if isIndented || line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                guard line.hasSuffix("]") else {
                    throw Problem(description: "\(path):\(index + 1): a section must end with ']'")
                }
                section = Self.trimmed(line.dropFirst().dropLast())
                if section.hasPrefix("profile ") { section = Self.trimmed(section.dropFirst(8)) }
                profiles[section, default: [:]] = profiles[section] ?? [:]
            } else if let equals = line.firstIndex(of: "=") {
                let name = Self.trimmed(line[..<equals]).lowercased()
                profiles[section, default: [:]][name] = Self.trimmed(line[line.index(after: equals)...])
            } else {
                throw Problem(description: "\(path):\(index + 1): NAME = VALUE or [SECTION] is expected")
            }
        }
    }

    /// Reads a file; nil when there is none.
    public init?(path: String) throws(Problem) {
        guard let text = try Self.read(path) else { return nil }
        try self.init(parsing: text, path: path)
    }

    /// The key of a section; nil when it has none.
    public func credentials(_ profile: String) -> SigningCredentials? {
        guard let keys = profiles[profile], let id = keys["aws_access_key_id"],
            let secret = keys["aws_secret_access_key"]
        else { return nil }
        return SigningCredentials(
            accessKeyID: id,
            secretAccessKey: secret,
            sessionToken: keys["aws_session_token"]
        )
    }

    /// Makes a file with one new random key, for its owner's eyes only (mode 0600), whole or not at all.
    public static func generate(at path: String, region: String = "us-east-1") throws(Problem) -> CredentialsFile {
        var random = SystemRandomNumberGenerator()
        func text(_ count: Int, _ alphabet: String) -> String {
            let letters = Array(alphabet)
            return String((0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
        }
        let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        let any = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        let content = """
            [default]
            aws_access_key_id = MR\(text(18, upper))
            aws_secret_access_key = \(text(40, any))
            region = \(region)

            """
        let temporary = path + ".new"
        try write(content, to: temporary)
        guard rename(temporary, path) == 0 else { throw problem(path, "can't be put in place") }
        let folder = open(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".", O_RDONLY | O_DIRECTORY)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
        return try CredentialsFile(parsing: content, path: path)
    }

    private static func write(_ content: String, to path: String) throws(Problem) {
        unlink(path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw problem(path, "can't be made") }
        defer { close(file) }
        let bytes = Array(content.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0 else {
            throw problem(path, "can't be written")
        }
    }

    private static func read(_ path: String) throws(Problem) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw problem(path, "can't be read")
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            guard count >= 0 else { throw problem(path, "can't be read") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Problem(description: "\(path): is not UTF-8 text")
        }
        return text
    }

    private static func problem(_ path: String, _ what: String) -> Problem {
        Problem(description: "\(path): \(what): \(String(cString: strerror(errno)))")
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let blanks: Set<Character> = [" ", "\t", "\r"]
        return String(text.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed())
    }
}
