import AWSProtocol

/// `Query`: reads the items of one hash key of a table or an index, page by page, in order of the range key.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
public struct QueryRequest: Sendable, Equatable {
    /// The page wanted.
    public var page: PageRequest
    /// Equality of the hash key, and maybe a condition on the range key; not yet checked against a key schema.
    public var keyCondition: Condition
    /// False for descending order.
    public var isForward: Bool

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        try reader.checkNotMixed(
            legacy: ["AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"],
            expressions: ["ProjectionExpression", "FilterExpression", "KeyConditionExpression"]
        )
        var names = try ExpressionNames(
            body: reader,
            expressions: [
                ("KeyConditionExpression", reader.raw("KeyConditionExpression") != nil),
                ("FilterExpression", reader.raw("FilterExpression") != nil),
                ("ProjectionExpression", reader.raw("ProjectionExpression") != nil),
            ]
        )
        let condition: Condition?
        if let expression = try reader.string("KeyConditionExpression") {
            condition = try Condition(parsing: expression, kind: "KeyConditionExpression", names: &names)
        } else if let members = try reader.members("KeyConditions") {
            condition = try Condition(filter: members, reading: &reader)
        } else {
            condition = nil
        }
        page = try PageRequest(reading: &reader, legacyFilter: "QueryFilter", names: &names)
        isForward = try reader.bool("ScanIndexForward") ?? true
        try reader.finish()
        guard let condition else {
            throw .validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
            )
        }
        keyCondition = condition
        try names.checkAllUsed()
    }
}
