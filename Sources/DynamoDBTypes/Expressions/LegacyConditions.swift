import AWSProtocol

extension Condition {
    /// Reads the legacy `Expected`: entries `{Exists}`, `{Value}` or `{ComparisonOperator, AttributeValueList}`, joined by
    /// `ConditionalOperator`.
    init?(expected members: [JSONValue.Member], reading reader: inout RequestReader) throws(AWSError) {
        try self.init(entries: members, reading: &reader, entry: Self.expectation)
    }

    /// Reads a legacy filter, `ScanFilter`, `QueryFilter` or `KeyConditions`: entries
    /// `{ComparisonOperator, AttributeValueList}`, joined by `ConditionalOperator`.
    init?(filter members: [JSONValue.Member], reading reader: inout RequestReader) throws(AWSError) {
        try self.init(entries: members, reading: &reader, entry: Self.comparison)
    }

    private init?(
        entries members: [JSONValue.Member],
        reading reader: inout RequestReader,
        entry: (JSONValue.Member) throws(AWSError) -> Condition
    ) throws(AWSError) {
        let joins = try reader.string("ConditionalOperator", values: ["AND", "OR"])
        var conditions: [Condition] = []
        for member in members { conditions.append(try entry(member)) }
        if conditions.isEmpty { return nil }
        self = joins == "OR" ? .any(conditions) : .all(conditions)
    }

    private static func invalid(_ text: String) -> AWSError {
        .validation("One or more parameter values were invalid: \(text)")
    }

    private static func expectation(_ member: JSONValue.Member) throws(AWSError) -> Condition {
        guard member.value.members != nil else {
            throw .serialization("Unexpected value type in payload: Expected holds structures")
        }
        let path = DocumentPath(member.name)
        if member.value["ComparisonOperator"] != nil {
            guard member.value["Exists"] == nil, member.value["Value"] == nil else {
                throw invalid(
                    "Exists and Value cannot be used with ComparisonOperator for Attribute: \(member.name)"
                )
            }
            return try comparison(member)
        }
        guard member.value["AttributeValueList"] == nil else {
            throw invalid("AttributeValueList can only be used with a ComparisonOperator for Attribute: \(member.name)")
        }
        let exists = member.value["Exists"]
        if let exists, exists.bool == nil {
            throw .serialization("Unexpected value type in payload: Exists is a boolean, found \(exists.kind)")
        }
        guard let value = member.value["Value"] else {
            guard exists?.bool == false else {
                throw invalid(
                    "Value must be provided when Exists is \(exists == nil ? "null" : "true") "
                        + "for Attribute: \(member.name)"
                )
            }
            return .notExists(path)
        }
        guard exists?.bool != false else {
            throw invalid("Value cannot be used when Exists is set to false for Attribute: \(member.name)")
        }
        return .compare(.path(path), .equal, .value(try AttributeValue(json: value)))
    }

    private static func comparison(_ member: JSONValue.Member) throws(AWSError) -> Condition {
        guard member.value.members != nil else {
            throw .serialization("Unexpected value type in payload: a condition is a structure")
        }
        guard let name = member.value["ComparisonOperator"]?.string else {
            throw invalid("ComparisonOperator must be provided for Attribute: \(member.name)")
        }
        var values: [AttributeValue] = []
        for element in member.value["AttributeValueList"]?.array ?? [] {
            values.append(try AttributeValue(json: element))
        }
        let path = DocumentPath(member.name)
        func count(_ allowed: ClosedRange<Int>) throws(AWSError) {
            guard allowed.contains(values.count) else {
                throw invalid("Invalid number of argument(s) for the \(name) ComparisonOperator")
            }
        }
        func compare(_ comparator: Comparator) throws(AWSError) -> Condition {
            try count(1...1)
            return .compare(.path(path), comparator, .value(values[0]))
        }
        switch name {
        case "EQ": return try compare(.equal)
        case "NE": return try compare(.notEqual)
        case "LT": return try compare(.less)
        case "LE": return try compare(.lessOrEqual)
        case "GT": return try compare(.greater)
        case "GE": return try compare(.greaterOrEqual)
        case "NULL":
            try count(0...0)
            return .notExists(path)
        case "NOT_NULL":
            try count(0...0)
            return .exists(path)
        case "BETWEEN":
            try count(2...2)
            return .between(.path(path), .value(values[0]), .value(values[1]))
        case "IN":
            try count(1...100)
            return .isIn(.path(path), values.map { .value($0) })
        case "BEGINS_WITH":
            try count(1...1)
            return .beginsWith(.path(path), .value(values[0]))
        case "CONTAINS":
            try count(1...1)
            return .contains(.path(path), .value(values[0]))
        case "NOT_CONTAINS":
            try count(1...1)
            return .not(.contains(.path(path), .value(values[0])))
        default:
            throw .validation(
                "1 validation error detected: Value '\(name)' at 'comparisonOperator' failed to satisfy constraint: "
                    + "Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, "
                    + "BEGINS_WITH, GE, CONTAINS]"
            )
        }
    }
}

extension Update {
    /// Reads the legacy `AttributeUpdates`: entries `{Action, Value}`; the action is `PUT` unless told.
    init(attributeUpdates members: [JSONValue.Member]) throws(AWSError) {
        self.init()
        func invalid(_ text: String) -> AWSError {
            .validation("One or more parameter values were invalid: \(text)")
        }
        for member in members {
            guard member.value.members != nil else {
                throw .serialization("Unexpected value type in payload: AttributeUpdates holds structures")
            }
            var value: AttributeValue?
            if let json = member.value["Value"] { value = try AttributeValue(json: json) }
            let name = member.value["Action"]?.string ?? "PUT"
            let action: Action
            switch (name, value) {
            case ("DELETE", nil): action = .remove
            case ("PUT", nil), ("ADD", nil):
                throw invalid("Only DELETE action is allowed when no attribute value is specified")
            case ("PUT", let value?): action = .set(.value(value))
            case ("ADD", let value?):
                guard ["N", "SS", "NS", "BS", "L"].contains(value.type) else {
                    throw invalid("ADD action is not supported for the type \(value.type)")
                }
                action = .add(value)
            case ("DELETE", let value?):
                guard ["SS", "NS", "BS"].contains(value.type) else {
                    throw invalid("DELETE action with value is not supported for the type \(value.type)")
                }
                action = .delete(value)
            default:
                throw .validation(
                    "1 validation error detected: Value '\(name)' at 'attributeUpdates.\(member.name).member.action' "
                        + "failed to satisfy constraint: Member must satisfy enum value set: [ADD, PUT, DELETE]"
                )
            }
            actions.append((DocumentPath(member.name), action))
        }
    }
}
