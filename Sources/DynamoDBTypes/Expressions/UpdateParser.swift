import AWSProtocol

extension Update {
    /// Parses an update expression: each of the clauses `SET`, `REMOVE`, `ADD`, `DELETE` at most once, in any order.
    ///
    ///     set     := path '=' sum          sum  := term [ ('+' | '-') term ]
    ///     term    := path | ':value' | if_not_exists '(' path ',' sum ')' | list_append '(' sum ',' sum ')' | '(' sum ')'
    public init(parsing text: String, names: inout ExpressionNames) throws(AWSError) {
        var parser = UpdateParser(base: try ExpressionParser(text, kind: "UpdateExpression", names: names))
        self = try parser.update()
        names = parser.base.names
    }

    /// Refuses places that overlap, in AWS's words.
    func checkPaths() throws(AWSError) {
        for (index, first) in actions.enumerated() {
            for second in actions[(index + 1)...] {
                let verb: String
                switch first.path.relation(to: second.path) {
                case .apart: continue
                case .overlap: verb = "overlap"
                case .conflict: verb = "conflict"
                }
                throw .validation(
                    "Invalid UpdateExpression: Two document paths \(verb) with each other; must remove or rewrite one "
                        + "of these paths; path one: \(first.path), path two: \(second.path)"
                )
            }
        }
    }
}

private struct UpdateParser {
    var base: ExpressionParser
    private var actions: [(path: DocumentPath, action: Update.Action)] = []

    init(base: ExpressionParser) { self.base = base }

    mutating func update() throws(AWSError) -> Update {
        var seen: Set<String> = []
        while base.current != .end {
            guard case .word(let word) = base.current, ["SET", "REMOVE", "ADD", "DELETE"].contains(word.uppercased())
            else { throw base.syntaxError() }
            let clause = word.uppercased()
            guard seen.insert(clause).inserted else {
                throw base.error("The \"\(clause)\" section can only be used once in an update expression;")
            }
            base.advance()
            repeat { try action(clause) } while base.accept(",")
        }
        let update = Update(actions)
        try update.checkPaths()
        return update
    }

    private mutating func action(_ clause: String) throws(AWSError) {
        let path = try base.path()
        switch clause {
        case "SET":
            try base.expect("=")
            actions.append((path, .set(try sum())))
        case "REMOVE": actions.append((path, .remove))
        case "ADD":
            let value = try base.value()
            try check(value, "ADD", ["N", "SS", "NS", "BS"])
            actions.append((path, .add(value)))
        default:
            let value = try base.value()
            try check(value, "DELETE", ["SS", "NS", "BS"])
            actions.append((path, .delete(value)))
        }
    }

    private func check(_ value: AttributeValue, _ clause: String, _ types: [String]) throws(AWSError) {
        guard !types.contains(value.type) else { return }
        throw base.error(
            "Incorrect operand type for operator or function; operator: \(clause), operand type: \(value.longType), "
                + "typeSet: ALLOWED_FOR_\(clause)_OPERAND"
        )
    }

    private mutating func sum() throws(AWSError) -> Update.Operand {
        let left = try term()
        let symbol = base.current
        guard symbol == .symbol("+") || symbol == .symbol("-") else { return left }
        base.advance()
        let right = try term()
        let name = symbol == .symbol("+") ? "+" : "-"
        for case .value(let value) in [left, right] where value.type != "N" { throw base.wrongType(name, value.type) }
        return name == "+" ? .plus(left, right) : .minus(left, right)
    }

    private mutating func nestedSum() throws(AWSError) -> Update.Operand {
        try base.enter()
        defer { base.leave() }
        return try sum()
    }

    private mutating func term() throws(AWSError) -> Update.Operand {
        if case .valueReference = base.current { return .value(try base.value()) }
        if base.accept("(") {
            let inner = try nestedSum()
            try base.expect(")")
            return inner
        }
        guard let function = base.function else { return .path(try base.path()) }
        base.advance()
        try base.expect("(")
        var operands = [try nestedSum()]
        while base.accept(",") { operands.append(try nestedSum()) }
        try base.expect(")")
        return try call(function, operands)
    }

    private func call(_ function: String, _ operands: [Update.Operand]) throws(AWSError) -> Update.Operand {
        switch function {
        case "if_not_exists":
            guard operands.count == 2 else { throw base.wrongCount(function, operands.count) }
            guard case .path(let path) = operands[0] else {
                throw base.error("Operator or function requires a document path; operator or function: if_not_exists")
            }
            return .ifNotExists(path, operands[1])
        case "list_append":
            guard operands.count == 2 else { throw base.wrongCount(function, operands.count) }
            for case .value(let value) in operands where value.type != "L" {
                throw base.wrongType(function, value.type)
            }
            return .listAppend(operands[0], operands[1])
        case "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size":
            throw base.error("The function is not allowed in an update expression; function: \(function)")
        default:
            throw base.error("Invalid function name; function: \(function)")
        }
    }
}
