import AWSProtocol

/// What is wrong with one configuration file, or worth knowing about it: collected while the file is read.
public final class ConfigurationFindings {
    /// The file.
    public let text: SourceText
    /// What stops the program.
    public private(set) var problems: [ConfigurationProblem] = []
    /// What is accepted and changes nothing.
    public private(set) var notices: [ConfigurationProblem] = []

    /// Nothing is found yet.
    public init(_ text: SourceText) { self.text = text }

    /// The members of the document, JSON with comments; nil, and a problem, when it is none or no object.
    public func members() -> [JSONValue.Member]? {
        do {
            var bytes = text.bytes
            // A byte-order mark, as some editors leave one, says nothing in UTF-8; blanks keep the offsets.
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.replaceSubrange(..<3, with: [0x20, 0x20, 0x20]) }
            let document = try JSONValue(parsing: bytes, comments: true)
            if let members = document.members { return members }
            problem(at: 0, "", "found \(document.kind), expected an object in braces")
        } catch {
            problem(at: error.offset, "", "is no JSON: \(error.reason); correct the text there or right before it")
        }
        return nil
    }

    /// Notes a mistake. `offset` is its byte in the file, nil when the file as a whole is meant.
    public func problem(at offset: Int?, _ keyPath: String, _ message: String) {
        problems.append(finding(offset, keyPath, message))
    }

    /// Notes what changes nothing.
    public func notice(at offset: Int?, _ keyPath: String, _ message: String) {
        notices.append(finding(offset, keyPath, message))
    }

    /// Throws all problems, in the order of the file's lines, when there is one.
    public func throwProblems() throws(ConfigurationProblems) {
        guard !problems.isEmpty else { return }
        throw ConfigurationProblems(problems: problems.sorted { $0.line < $1.line })
    }

    private func finding(_ offset: Int?, _ keyPath: String, _ message: String) -> ConfigurationProblem {
        let line = offset.map { text.line(of: $0) } ?? 0
        return ConfigurationProblem(file: text.path, line: line, keyPath: keyPath, message: message)
    }
}
