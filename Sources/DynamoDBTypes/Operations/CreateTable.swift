import AWSProtocol

/// `CreateTable`: its answer says `ACTIVE` already.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
public struct CreateTableRequest: Sendable, Equatable {
    /// The table wanted.
    public var shape: TableShape

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        shape = try TableShape(reading: &reader)
    }
}
