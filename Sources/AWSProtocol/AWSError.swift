/// An error as AWS services answer it on the JSON and CBOR protocols: a shape name, a status and a message.
///
/// Equality is the code alone, so a test reads as the specification does.
public struct AWSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The shape name, such as `ResourceNotFoundException`: `__type` of the answer.
    public var code: String
    /// The HTTP status: 400 for a client's mistake, 500 for the server's.
    public var status: Int
    /// For people.
    public var message: String
    /// Members beside `__type` and `message`, already JSON: DynamoDB's `Item` of a failed condition is one.
    public var extra: [JSONValue.Member]

    /// An error of a service.
    public init(_ code: String, _ message: String, status: Int = 400, extra: [JSONValue.Member] = []) {
        self.code = code
        self.status = status
        self.message = message
        self.extra = extra
    }

    public static func == (lhs: AWSError, rhs: AWSError) -> Bool { lhs.code == rhs.code }

    public var description: String { "\(code): \(message)" }
}

extension AWSError {
    /// `ResourceNotFoundException`
    public static func notFound(_ message: String) -> AWSError { AWSError("ResourceNotFoundException", message) }
    /// `ResourceInUseException`
    public static func inUse(_ message: String) -> AWSError { AWSError("ResourceInUseException", message) }
    /// `InvalidArgumentException`
    public static func invalidArgument(_ message: String) -> AWSError { AWSError("InvalidArgumentException", message) }
    /// `ValidationException`
    public static func validation(_ message: String) -> AWSError { AWSError("ValidationException", message) }
    /// `SerializationException`
    public static func serialization(_ message: String) -> AWSError { AWSError("SerializationException", message) }
    /// `LimitExceededException`
    public static func limitExceeded(_ message: String) -> AWSError { AWSError("LimitExceededException", message) }
    /// The server's own failure, status 500; the cause goes to the log, not to the client.
    public static let internalFailure = AWSError(
        "InternalFailure",
        "The request processing has failed because of an internal error.",
        status: 500
    )
    /// The server can't take the request now, status 503; clients retry it.
    public static func unavailable(_ message: String) -> AWSError {
        AWSError("ServiceUnavailableException", message, status: 503)
    }
}
