import AWSProtocol

/// `GetItem`: reads the item under a key. `ConsistentRead` is accepted; every read is consistent.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
public struct GetItemRequest: Sendable, Equatable {
    /// The table.
    public var tableName: String
    /// The item's key.
    public var key: Item
    /// What to keep of the item, nil for all.
    public var projection: Projection?

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        tableName = try reader.tableName()
        key = try reader.item("Key", required: true) ?? [:]
        _ = try reader.bool("ConsistentRead")
        try reader.finish()
        try reader.checkNotMixed(legacy: ["AttributesToGet"], expressions: ["ProjectionExpression"])
        var names = try ExpressionNames(
            body: reader,
            expressions: [("ProjectionExpression", reader.raw("ProjectionExpression") != nil)]
        )
        projection = try Projection(reading: &reader, names: &names)
        try names.checkAllUsed()
    }
}

/// The answer of `GetItem`.
public struct GetItemResponse: Sendable, Equatable {
    /// The item, nil when there is none.
    public var item: Item?

    /// An answer.
    public init(item: Item?) {
        self.item = item
    }

    /// The answer's JSON.
    public func json() -> [UInt8] {
        answer { writer in
            if let item {
                writer.name("Item")
                item.write(to: &writer)
            }
        }
    }
}

extension Projection {
    /// Reads `ProjectionExpression`, or the legacy `AttributesToGet`; nil when neither is there.
    init?(reading reader: inout RequestReader, names: inout ExpressionNames) throws(AWSError) {
        if let expression = try reader.string("ProjectionExpression") {
            try self.init(parsing: expression, names: &names)
            return
        }
        guard let attributes = try reader.elements("AttributesToGet") else { return nil }
        var paths: [DocumentPath] = []
        for attribute in attributes {
            guard let name = attribute.string else {
                throw .serialization("Unexpected value type in payload: AttributesToGet holds strings")
            }
            paths.append(DocumentPath(name))
        }
        self.init(paths)
    }
}
