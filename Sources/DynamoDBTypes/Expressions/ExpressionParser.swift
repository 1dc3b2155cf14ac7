import AWSProtocol

/// What the parsers of all four kinds of expression share: tokens, errors, names, values and document paths.
struct ExpressionParser {
    /// Parentheses, `NOT` and nested functions go no deeper.
    private static let depthLimit = 100
    /// DynamoDB's limit, in bytes.
    private static let sizeLimit = 4096

    /// `ConditionExpression`, `UpdateExpression` …: begins every message.
    let kind: String
    private let text: [UInt8]
    private let tokens: [ExpressionToken]
    private var at = 0
    private var depth = 0
    var names: ExpressionNames

    init(_ text: String, kind: String, names: ExpressionNames) throws(AWSError) {
        self.kind = kind
        self.names = names
        self.text = Array(text.utf8)
        guard self.text.count <= Self.sizeLimit else {
            throw .validation(
                "Invalid \(kind): Expression size has exceeded the maximum allowed size; "
                    + "expression size: \(self.text.count)"
            )
        }
        tokens = ExpressionTokenizer.tokens(of: self.text)
        guard tokens.count > 1 else { throw error("The expression can not be empty;") }
    }

    var current: ExpressionToken.Kind { tokens[at].kind }
    var following: ExpressionToken.Kind { tokens[min(at + 1, tokens.count - 1)].kind }

    func error(_ message: String) -> AWSError { .validation("Invalid \(kind): \(message)") }

    /// AWS's words for a token that can't stand here, with its neighbours.
    func syntaxError() -> AWSError {
        let token = tokens[at]
        let shown = token.kind == .end ? "<EOF>" : String(decoding: text[token.range], as: UTF8.self)
        let from = tokens[max(0, at - 1)].range.lowerBound
        let to = tokens[min(tokens.count - 1, at + 1)].range.upperBound
        let near = String(decoding: text[from..<to], as: UTF8.self)
        return error("Syntax error; token: \"\(shown)\", near: \"\(near)\"")
    }

    mutating func advance() { if at < tokens.count - 1 { at += 1 } }

    mutating func accept(_ symbol: String) -> Bool {
        guard current == .symbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String) throws(AWSError) {
        guard accept(symbol) else { throw syntaxError() }
    }

    func isKeyword(_ keyword: String) -> Bool {
        if case .word(let word) = current { word.uppercased() == keyword } else { false }
    }

    mutating func acceptKeyword(_ keyword: String) -> Bool {
        guard isKeyword(keyword) else { return false }
        advance()
        return true
    }

    func expectEnd() throws(AWSError) {
        guard current == .end else { throw syntaxError() }
    }

    /// Goes one level deeper; `leave` goes back.
    mutating func enter() throws(AWSError) {
        depth += 1
        guard depth <= Self.depthLimit else { throw error("The expression is nested too deeply") }
    }

    mutating func leave() { depth -= 1 }

    /// `name`, `#name`, and steps `.name`, `[n]` below it.
    mutating func path() throws(AWSError) -> DocumentPath {
        var path = DocumentPath(try pathName())
        while true {
            if accept(".") {
                path.steps.append(.member(try pathName()))
            } else if accept("[") {
                guard case .number(let digits) = current else { throw syntaxError() }
                guard let index = Int(digits), index < 1 << 31 else {
                    throw error("List index is not within the allowable range; index: [\(digits)]")
                }
                advance()
                try expect("]")
                path.steps.append(.index(index))
            } else {
                break
            }
            if path.steps.count > 31 {
                throw error("The document path has too many nesting elements; nesting levels: 33")
            }
        }
        return path
    }

    private static let keywords: Set<String> = [
        "AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE",
    ]

    private mutating func pathName() throws(AWSError) -> String {
        switch current {
        case .word(let name) where !Self.keywords.contains(name.uppercased()):
            advance()
            return name
        case .nameReference(let reference):
            advance()
            return try names.name(reference, in: kind)
        default: throw syntaxError()
        }
    }

    /// `:value`
    mutating func value() throws(AWSError) -> AttributeValue {
        guard case .valueReference(let reference) = current else { throw syntaxError() }
        advance()
        return try names.value(reference, in: kind)
    }

    /// The function called here: a word with `(` behind it.
    var function: String? {
        guard case .word(let name) = current, following == .symbol("("),
            !Self.keywords.contains(name.uppercased())
        else { return nil }
        return name
    }

    func wrongCount(_ function: String, _ count: Int) -> AWSError {
        error(
            "Incorrect number of operands for operator or function; operator or function: \(function), "
                + "number of operands: \(count)"
        )
    }

    func wrongType(_ function: String, _ type: String) -> AWSError {
        error(
            "Incorrect operand type for operator or function; operator or function: \(function), operand type: \(type)"
        )
    }
}
