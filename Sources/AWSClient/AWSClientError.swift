import AWSProtocol

/// Why a call failed. Equality is the code alone.
public struct AWSClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure.
    public enum Code: Sendable, Equatable {
        /// The service said no.
        case service(AWSError)
        /// No connection, or it broke.
        case connection
        /// No answer in time.
        case timeout
        /// An answer that is not AWS's.
        case badResponse
        /// Nothing to sign with.
        case noCredentials
        /// Settings contradict each other or can't be read.
        case configuration
        /// The caller gave up.
        case cancelled
    }

    /// What kind of failure.
    public var code: Code
    /// For people: what, where, what to do.
    public var message: String
    /// The answer's headers, names in lower case; empty when there was none.
    public var headers: [String: String]

    /// A failure.
    public init(_ code: Code, _ message: String, headers: [String: String] = [:]) {
        self.code = code
        self.message = message
        self.headers = headers
    }

    public static func == (lhs: AWSClientError, rhs: AWSClientError) -> Bool { lhs.code == rhs.code }

    public var description: String { message }

    /// The shape name of a service's error, such as `ConditionalCheckFailedException`.
    public var serviceCode: String? {
        if case .service(let error) = code { error.code } else { nil }
    }

    /// Whether the same call may succeed later.
    public var isRetryable: Bool {
        switch code {
        case .connection, .timeout, .badResponse: true
        case .noCredentials, .configuration, .cancelled: false
        case .service(let error):
            error.status >= 500 || Self.throttles.contains(error.code)
        }
    }

    /// Whether the service asked to slow down.
    public var isThrottle: Bool { serviceCode.map(Self.throttles.contains) ?? false }

    private static let throttles: Set<String> = [
        "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded",
        "TooManyRequestsException", "ServiceUnavailableException", "SlowDown", "LimitExceededException",
    ]
}
