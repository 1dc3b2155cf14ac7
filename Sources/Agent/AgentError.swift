/// Why the agent cannot start or go on, in words for people: what, where, why, what to do.
public struct AgentError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The words.
    public var description: String

    /// An error with these words.
    public init(_ description: String) { self.description = description }
}
