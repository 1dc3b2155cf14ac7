import AWSProtocol

extension RequestReader {
    /// The members of a map, as they stand; nil when absent.
    func members(_ name: String) throws(AWSError) -> [JSONValue.Member]? {
        guard let value = raw(name) else { return nil }
        guard let members = value.members else {
            throw .serialization("Unexpected value type in payload: \(name) is a map, found \(value.kind)")
        }
        return members
    }

    /// The elements of a list, as they stand; nil when absent.
    func elements(_ name: String) throws(AWSError) -> [JSONValue]? {
        guard let value = raw(name) else { return nil }
        guard let elements = value.array else {
            throw .serialization("Unexpected value type in payload: \(name) is a list, found \(value.kind)")
        }
        return elements
    }

    /// A map of attribute values; nil when absent, which is noted if `required`.
    mutating func item(_ name: String, required: Bool = false) throws(AWSError) -> Item? {
        guard let value = raw(name) else {
            if required { note(nil, name, "Member must not be null") }
            return nil
        }
        return try Item(json: value)
    }

    /// `TableName`: a name, or the ARN of a table.
    mutating func tableName() throws(AWSError) -> String {
        if let text = raw("TableName")?.string, text.hasPrefix("arn:") {
            let resource = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).last ?? ""
            let parts = resource.split(separator: "/")
            guard parts.count >= 2, parts[0] == "table" else {
                throw .validation("Invalid table ARN: \(text)")
            }
            return String(parts[1])
        }
        return try string("TableName", length: 3...255, pattern: .name, required: true) ?? ""
    }

    /// Refuses a request that mixes the legacy parameters with expressions.
    func checkNotMixed(legacy: [String], expressions: [String]) throws(AWSError) {
        let old = legacy.filter { raw($0) != nil }
        let new = expressions.filter { raw($0) != nil }
        guard !old.isEmpty, !new.isEmpty else { return }
        throw .validation(
            "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
                + "{\(old.joined(separator: ", "))} Expression parameters: {\(new.joined(separator: ", "))}"
        )
    }
}

/// What a write answers of the item.
public enum ReturnValues: String, Sendable, CaseIterable {
    /// Nothing.
    case none = "NONE"
    /// The item before the write.
    case allOld = "ALL_OLD"
    /// The item after it.
    case allNew = "ALL_NEW"
    /// The changed attributes before it.
    case updatedOld = "UPDATED_OLD"
    /// The changed attributes after it.
    case updatedNew = "UPDATED_NEW"

    init(reading reader: inout RequestReader, allowed: [ReturnValues] = allCases) throws(AWSError) {
        let text = try reader.string("ReturnValues", values: Self.allCases.map(\.rawValue))
        let value = text.flatMap(ReturnValues.init(rawValue:)) ?? .none
        guard allowed.contains(value) else { throw .validation("Return values set to invalid value") }
        self = value
    }
}

/// The condition of a write, from `ConditionExpression` or from the legacy `Expected`.
public struct WriteCondition: Sendable, Equatable {
    /// What must hold for the item as it is; nil for no condition.
    public var condition: Condition?
    /// Whether a failure's error carries the item: `ReturnValuesOnConditionCheckFailure` is `ALL_OLD`.
    public var returnsItemOnFailure: Bool

    /// A condition, none by default.
    public init(_ condition: Condition? = nil, returnsItemOnFailure: Bool = false) {
        self.condition = condition
        self.returnsItemOnFailure = returnsItemOnFailure
    }

    init(reading reader: inout RequestReader, names: inout ExpressionNames) throws(AWSError) {
        returnsItemOnFailure =
            try reader.string("ReturnValuesOnConditionCheckFailure", values: ["NONE", "ALL_OLD"]) == "ALL_OLD"
        if let expression = try reader.string("ConditionExpression") {
            condition = try Condition(parsing: expression, kind: "ConditionExpression", names: &names)
        } else if let expected = try reader.members("Expected") {
            condition = try Condition(expected: expected, reading: &reader)
        } else if try reader.string("ConditionalOperator") != nil {
            throw .validation("ConditionalOperator cannot be used without Filter or Expected")
        }
    }
}

/// Writes `{}` or an object that `body` fills.
func answer(_ body: (inout JSONWriter) -> Void) -> [UInt8] { jsonBytes(body) }

/// The answer of PutItem, UpdateItem and DeleteItem.
public struct WriteItemResponse: Sendable, Equatable {
    /// What `ReturnValues` asked for, nil for nothing.
    public var attributes: Item?

    /// An answer.
    public init(attributes: Item?) {
        self.attributes = attributes
    }

    /// The answer's JSON.
    public func json() -> [UInt8] {
        answer { writer in
            if let attributes {
                writer.name("Attributes")
                attributes.write(to: &writer)
            }
        }
    }
}
