/// One thing that is wrong in a configuration file, or worth knowing about it.
public struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file's path, as it was given.
    public var file: String
    /// Line, from 1; 0 when the file as a whole is meant.
    public var line: Int
    /// Where in the document, such as `flows[0].initialPosition`; empty for the document itself.
    public var keyPath: String
    /// What was found, what is expected, what to do.
    public var message: String

    /// `line` is 0 when the file as a whole is meant.
    public init(file: String, line: Int, keyPath: String, message: String) {
        self.file = file
        self.line = line
        self.keyPath = keyPath
        self.message = message
    }

    /// `file:line: key path: message`
    public var description: String {
        let place = line > 0 ? "\(file):\(line)" : file
        return keyPath.isEmpty ? "\(place): \(message)" : "\(place): \(keyPath): \(message)"
    }
}

/// Everything that is wrong in a configuration file, in the order of its lines.
public struct ConfigurationProblems: Error, Sendable, Equatable, CustomStringConvertible {
    /// At least one.
    public var problems: [ConfigurationProblem]

    /// At least one.
    public init(problems: [ConfigurationProblem]) { self.problems = problems }

    /// One problem a line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
