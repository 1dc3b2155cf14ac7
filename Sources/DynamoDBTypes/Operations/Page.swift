import AWSProtocol

/// What `Scan` and `Query` share: the page wanted and what it shows.
public struct PageRequest: Sendable, Equatable {
    /// The table.
    public var tableName: String
    /// A global secondary index of it, nil for the table itself.
    public var indexName: String?
    /// Keeps the items that it holds for, after `limit` has counted them.
    public var filter: Condition?
    /// What to keep of each item, nil for all.
    public var projection: Projection?
    /// Answers the count without the items.
    public var isCount: Bool
    /// Items to look at, nil for as many as fit a page.
    public var limit: Int?
    /// The last key of the page before.
    public var startKey: Item?

    init(
        reading reader: inout RequestReader,
        legacyFilter: String,
        names: inout ExpressionNames
    ) throws(AWSError) {
        tableName = try reader.tableName()
        indexName = try reader.string("IndexName", length: 3...255, pattern: .name)
        limit = try reader.integer("Limit", in: 1...Int(Int32.max))
        startKey = try reader.item("ExclusiveStartKey")
        _ = try reader.bool("ConsistentRead")
        let select = try reader.string(
            "Select",
            values: ["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"]
        )
        isCount = select == "COUNT"
        if let expression = try reader.string("FilterExpression") {
            filter = try Condition(parsing: expression, kind: "FilterExpression", names: &names)
        } else if let members = try reader.members(legacyFilter) {
            filter = try Condition(filter: members, reading: &reader)
        }
        projection = try Projection(reading: &reader, names: &names)
        if projection != nil, let select, select != "SPECIFIC_ATTRIBUTES" {
            let parameter = reader.raw("ProjectionExpression") == nil ? "AttributesToGet" : "ProjectionExpression"
            throw .validation("Cannot specify the \(parameter) when choosing to get \(select)")
        }
    }
}

/// The answer of `Scan` and `Query`.
public struct PageResponse: Sendable, Equatable {
    /// The items, nil when only the count was asked for.
    public var items: [Item]?
    /// Items that passed the filter.
    public var count: Int
    /// Items looked at.
    public var scannedCount: Int
    /// Where the next page starts, nil at the end.
    public var lastKey: Item?

    /// An answer.
    public init(items: [Item]?, count: Int, scannedCount: Int, lastKey: Item?) {
        self.items = items
        self.count = count
        self.scannedCount = scannedCount
        self.lastKey = lastKey
    }

    /// The answer's JSON.
    public func json() -> [UInt8] {
        answer { writer in
            if let items {
                writer.name("Items")
                writer.array { for item in items { item.write(to: &$0) } }
            }
            writer.name("Count")
            writer.integer(count)
            writer.name("ScannedCount")
            writer.integer(scannedCount)
            if let lastKey {
                writer.name("LastEvaluatedKey")
                lastKey.write(to: &writer)
            }
        }
    }
}
