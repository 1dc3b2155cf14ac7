/// One thing that is wrong with a policy document, or worth knowing about it.
public struct PolicyProblem: Sendable, Equatable, CustomStringConvertible {
    /// Where in the document: `Statement[0].Condition.StringEqals`; empty for the document itself.
    public var path: String
    /// The byte in the text where the nearest member starts, as the JSON has it; nil where there is none.
    public var offset: Int?
    /// What was found, what is expected.
    public var message: String
    /// A name that is not known, for suggestions.
    public var unknown: String?
    /// What could have been meant by it.
    public var candidates: [String] = []

    public var description: String { path.isEmpty ? message : "\(path) \(message)" }
}

/// Everything that is wrong with a document.
public struct PolicyProblems: Error, Sendable, CustomStringConvertible {
    /// At least one.
    public var problems: [PolicyProblem]

    public var description: String { problems.map(\.description).joined(separator: "; ") }
}
