import AWSProtocol

/// `UpdateItem`: changes attributes of the item under a key, which it creates if there is none.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
public struct UpdateItemRequest: Sendable, Equatable {
    /// The table.
    public var tableName: String
    /// The item's key.
    public var key: Item
    /// The changes, none for a request that only makes sure the item is there.
    public var update: Update
    /// What must hold.
    public var condition: WriteCondition
    /// What to answer.
    public var returnValues: ReturnValues

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        tableName = try reader.tableName()
        key = try reader.item("Key", required: true) ?? [:]
        returnValues = try ReturnValues(reading: &reader)
        try reader.finish()
        try reader.checkNotMixed(
            legacy: ["AttributeUpdates", "Expected", "ConditionalOperator"],
            expressions: ["UpdateExpression", "ConditionExpression"]
        )
        var names = try ExpressionNames(
            body: reader,
            expressions: [
                ("UpdateExpression", reader.raw("UpdateExpression") != nil),
                ("ConditionExpression", reader.raw("ConditionExpression") != nil),
            ]
        )
        if let expression = try reader.string("UpdateExpression") {
            update = try Update(parsing: expression, names: &names)
        } else {
            update = try Update(attributeUpdates: try reader.members("AttributeUpdates") ?? [])
        }
        condition = try WriteCondition(reading: &reader, names: &names)
        try reader.finish()
        try names.checkAllUsed()
    }
}
