import AWSProtocol

/// The request of operations that name a table and nothing else: `DescribeTable`, `DeleteTable`, `DescribeTimeToLive`,
/// `DescribeContinuousBackups`.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
public struct TableNameRequest: Sendable, Equatable {
    /// The table.
    public var tableName: String

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        tableName = try reader.tableName()
        try reader.finish()
    }
}
