import AWSProtocol

/// `PutItem`: writes a whole item over what stands under its key.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
public struct PutItemRequest: Sendable, Equatable {
    /// The table.
    public var tableName: String
    /// The item, with its key.
    public var item: Item
    /// What must hold.
    public var condition: WriteCondition
    /// `NONE` or `ALL_OLD`.
    public var returnValues: ReturnValues

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        tableName = try reader.tableName()
        item = try reader.item("Item", required: true) ?? [:]
        returnValues = try ReturnValues(reading: &reader, allowed: [.none, .allOld])
        try reader.finish()
        try reader.checkNotMixed(legacy: ["Expected", "ConditionalOperator"], expressions: ["ConditionExpression"])
        var names = try ExpressionNames(
            body: reader,
            expressions: [("ConditionExpression", reader.raw("ConditionExpression") != nil)]
        )
        condition = try WriteCondition(reading: &reader, names: &names)
        try reader.finish()
        try names.checkAllUsed()
    }
}
