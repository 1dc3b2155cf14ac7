import AWSProtocol

/// `ListTables`: names of the region's tables, sorted, page by page.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html
public struct ListTablesRequest: Sendable, Equatable {
    /// The last name of the page before.
    public var startName: String?
    /// Names in a page, 1 to 100.
    public var limit: Int

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        startName = try reader.string("ExclusiveStartTableName", length: 3...255, pattern: .name)
        limit = try reader.integer("Limit", in: 1...100) ?? 100
        try reader.finish()
    }
}

/// The answer of `ListTables`.
public struct ListTablesResponse: Sendable, Equatable {
    /// The names.
    public var names: [String]
    /// Where the next page starts, nil at the end.
    public var lastName: String?

    /// An answer.
    public init(names: [String], lastName: String?) {
        self.names = names
        self.lastName = lastName
    }

    /// The answer's JSON.
    public func json() -> [UInt8] {
        answer { writer in
            writer.name("TableNames")
            writer.array { for name in names { $0.string(name) } }
            if let lastName {
                writer.name("LastEvaluatedTableName")
                writer.string(lastName)
            }
        }
    }
}
