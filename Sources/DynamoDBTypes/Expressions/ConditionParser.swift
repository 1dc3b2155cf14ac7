import AWSProtocol

extension Condition {
    /// Parses a condition, filter or key condition expression; `kind` is the parameter's name.
    ///
    ///     condition := and { OR and }
    ///     and       := not { AND not }
    ///     not       := NOT not | primary
    ///     primary   := '(' condition ')' | function | operand cmp operand
    ///                | operand BETWEEN operand AND operand | operand IN '(' operand { ',' operand } ')'
    ///     operand   := path | ':value' | size '(' path ')'
    public init(parsing text: String, kind: String, names: inout ExpressionNames) throws(AWSError) {
        var parser = ConditionParser(base: try ExpressionParser(text, kind: kind, names: names))
        self = try parser.condition()
        try parser.base.expectEnd()
        names = parser.base.names
    }
}

private struct ConditionParser {
    var base: ExpressionParser

    mutating func condition() throws(AWSError) -> Condition {
        var parts = [try conjunction()]
        while base.acceptKeyword("OR") { parts.append(try conjunction()) }
        return parts.count == 1 ? parts[0] : .any(parts)
    }

    private mutating func conjunction() throws(AWSError) -> Condition {
        var parts = [try negation()]
        while base.acceptKeyword("AND") { parts.append(try negation()) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private mutating func negation() throws(AWSError) -> Condition {
        if base.acceptKeyword("NOT") {
            try base.enter()
            defer { base.leave() }
            return .not(try negation())
        }
        return try primary()
    }

    private mutating func primary() throws(AWSError) -> Condition {
        if base.accept("(") {
            try base.enter()
            defer { base.leave() }
            let inner = try condition()
            try base.expect(")")
            return inner
        }
        if let function = base.function, function != "size" { return try call(function) }
        let left = try operand()
        if base.acceptKeyword("BETWEEN") {
            let low = try operand()
            guard base.acceptKeyword("AND") else { throw base.syntaxError() }
            return try between(left, low, try operand())
        }
        if base.acceptKeyword("IN") { return .isIn(left, try alternatives()) }
        guard case .symbol(let symbol) = base.current, let comparator = Condition.Comparator(rawValue: symbol) else {
            if case .size = left {
                throw base.error("The function is not allowed to be used this way in an expression; function: size")
            }
            throw base.syntaxError()
        }
        base.advance()
        return try compare(left, comparator, try operand())
    }

    private mutating func operand() throws(AWSError) -> Condition.Operand {
        if case .valueReference = base.current { return .value(try base.value()) }
        guard let function = base.function else { return .path(try base.path()) }
        guard function == "size" else {
            try checkKnown(function)
            throw base.error(
                "The function is not allowed to be used this way in an expression; function: \(function)"
            )
        }
        let operands = try arguments()
        guard operands.count == 1 else { throw base.wrongCount("size", operands.count) }
        guard case .path(let path) = operands[0] else {
            throw base.error("Operator or function requires a document path; operator or function: size")
        }
        return .size(path)
    }

    private static let functions: Set<String> = [
        "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size",
    ]

    private func checkKnown(_ function: String) throws(AWSError) {
        if Self.functions.contains(function) { return }
        if function == "if_not_exists" || function == "list_append" {
            throw base.error("The function is not allowed in a condition expression; function: \(function)")
        }
        throw base.error("Invalid function name; function: \(function)")
    }

    /// `name '(' operand { ',' operand } ')'`, from the name on.
    private mutating func arguments() throws(AWSError) -> [Condition.Operand] {
        base.advance()
        return try alternatives()
    }

    private mutating func alternatives() throws(AWSError) -> [Condition.Operand] {
        try base.expect("(")
        try base.enter()
        defer { base.leave() }
        var operands = [try operand()]
        while base.accept(",") { operands.append(try operand()) }
        try base.expect(")")
        return operands
    }

    private mutating func call(_ function: String) throws(AWSError) -> Condition {
        try checkKnown(function)
        let operands = try arguments()
        switch function {
        case "attribute_exists", "attribute_not_exists":
            guard operands.count == 1 else { throw base.wrongCount(function, operands.count) }
            let path = try path(operands[0], of: function)
            return function == "attribute_exists" ? .exists(path) : .notExists(path)
        case "attribute_type":
            guard operands.count == 2 else { throw base.wrongCount(function, operands.count) }
            if case .value(let value) = operands[1] {
                guard let type = value.string else { throw base.wrongType(function, value.type) }
                guard AttributeValue.types.contains(type) else {
                    throw base.error(
                        "Invalid attribute type name found; type: \(type), valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
                    )
                }
            }
            return .hasType(try path(operands[0], of: function), operands[1])
        case "begins_with":
            guard operands.count == 2 else { throw base.wrongCount(function, operands.count) }
            for case .value(let value) in operands where value.type != "S" && value.type != "B" {
                throw base.wrongType(function, value.type)
            }
            try checkDistinct(function, operands[0], operands[1])
            return .beginsWith(operands[0], operands[1])
        default:
            guard operands.count == 2 else { throw base.wrongCount(function, operands.count) }
            try checkDistinct(function, operands[0], operands[1])
            return .contains(operands[0], operands[1])
        }
    }

    private func path(_ operand: Condition.Operand, of function: String) throws(AWSError) -> DocumentPath {
        guard case .path(let path) = operand else {
            throw base.error("Operator or function requires a document path; operator or function: \(function)")
        }
        return path
    }

    private func checkDistinct(
        _ name: String,
        _ left: Condition.Operand,
        _ right: Condition.Operand
    ) throws(AWSError) {
        guard left == right, case .path(let path) = left else { return }
        throw base.error(
            "The first operand must be distinct from the remaining operands for this operator or function; "
                + "operator: \(name), first operand: \(path)"
        )
    }

    private func compare(
        _ left: Condition.Operand,
        _ comparator: Condition.Comparator,
        _ right: Condition.Operand
    ) throws(AWSError) -> Condition {
        try checkDistinct(comparator.rawValue, left, right)
        if comparator != .equal, comparator != .notEqual {
            for case .value(let value) in [left, right] where !["S", "N", "B"].contains(value.type) {
                throw base.wrongType(comparator.rawValue, value.type)
            }
        }
        return .compare(left, comparator, right)
    }

    private func between(
        _ operand: Condition.Operand,
        _ low: Condition.Operand,
        _ high: Condition.Operand
    ) throws(AWSError) -> Condition {
        for case .value(let value) in [operand, low, high] where !["S", "N", "B"].contains(value.type) {
            throw base.wrongType("BETWEEN", value.type)
        }
        if case .value(let lower) = low, case .value(let upper) = high {
            guard lower.type == upper.type else {
                throw base.error(
                    "The BETWEEN operator requires same data type for lower and upper bounds; "
                        + "lower bound operand: AttributeValue: {\(Self.shown(lower))}, "
                        + "upper bound operand: AttributeValue: {\(Self.shown(upper))}"
                )
            }
            if AttributeValue.isLess(upper, than: lower) == true {
                throw base.error(
                    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
                        + "lower bound operand: AttributeValue: {\(Self.shown(lower))}, "
                        + "upper bound operand: AttributeValue: {\(Self.shown(upper))}"
                )
            }
        }
        return .between(operand, low, high)
    }

    private static func shown(_ value: AttributeValue) -> String {
        switch value {
        case .string(let text): "S:\(text)"
        case .number(let number): "N:\(number)"
        default: value.type
        }
    }
}
