/// How often and how soon a failed call is made again: exponential backoff with full jitter.
public struct RetryPolicy: Sendable {
    /// Attempts in all; nil: for ever.
    public var attempts: Int?
    /// The longest first wait.
    public var initial: Duration
    /// The longest wait.
    public var limit: Duration

    /// A policy.
    public init(attempts: Int?, initial: Duration = .milliseconds(100), limit: Duration = .seconds(10)) {
        self.attempts = attempts
        self.initial = initial
        self.limit = limit
    }

    /// Three attempts.
    public static let `default` = RetryPolicy(attempts: 3)
    /// One attempt.
    public static let none = RetryPolicy(attempts: 1)
    /// Until it works.
    public static let forever = RetryPolicy(attempts: nil)

    /// The wait behind the attempt of that number, counting from 1; nil when there is no other. `random` is in 0..<1.
    public func delay(after attempt: Int, random: Double) -> Duration? {
        if let attempts, attempt >= attempts { return nil }
        let most = min(limit, initial * (1 << min(attempt - 1, 20)))
        return most * random
    }
}
