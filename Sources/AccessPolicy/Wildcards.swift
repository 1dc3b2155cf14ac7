/// A text pattern of a policy: `*` stands for any text, `?` for one character, `${key}` for what the request has there.
///
/// What a variable brings in stands for itself: a `*` in a user's name is no wildcard.
struct Wildcards: Sendable, Equatable {
    /// A byte of the text, or one of the two wildcards.
    private typealias Token = UInt16
    private static let anyText: Token = 256
    private static let oneCharacter: Token = 257

    private enum Form: Sendable, Equatable {
        case anything
        case literal([UInt8])
        case pattern([Token])
        case filledIn([Part])
    }

    private enum Part: Sendable, Equatable {
        case tokens([Token])
        case variable(PolicyVariable)
    }

    private let form: Form
    private let isLowerCase: Bool

    /// Which characters mean more than themselves.
    struct Meanings: OptionSet {
        let rawValue: Int
        static let wildcards = Meanings(rawValue: 1)
        static let variables = Meanings(rawValue: 2)
        /// The pattern is held against text in lower case.
        static let anyCase = Meanings(rawValue: 4)
    }

    /// Reads a pattern. Throws what is wrong with one of its variables.
    init(_ text: String, _ meanings: Meanings) throws(PolicyVariable.Problem) {
        var parts: [Part] = []
        var tokens: [Token] = []
        isLowerCase = meanings.contains(.anyCase)
        let bytes = Array((isLowerCase ? text.lowercased() : text).utf8)
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            if meanings.contains(.variables), byte == UInt8(ascii: "$"), at + 1 < bytes.count,
                bytes[at + 1] == UInt8(ascii: "{")
            {
                guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "}")) else { throw .unclosed }
                switch try PolicyVariable.read(bytes[(at + 2)..<end]) {
                case .character(let character): tokens.append(Token(character))
                case .variable(let variable):
                    if !tokens.isEmpty { parts.append(.tokens(tokens)) }
                    tokens = []
                    parts.append(.variable(variable))
                }
                at = end + 1
                continue
            }
            switch byte {
            case UInt8(ascii: "*") where meanings.contains(.wildcards):
                // Two in a row say no more than one, and cost time.
                if tokens.last != Self.anyText { tokens.append(Self.anyText) }
            case UInt8(ascii: "?") where meanings.contains(.wildcards): tokens.append(Self.oneCharacter)
            default: tokens.append(Token(byte))
            }
            at += 1
        }
        if !parts.isEmpty {
            if !tokens.isEmpty { parts.append(.tokens(tokens)) }
            form = .filledIn(parts)
        } else if tokens == [Self.anyText] {
            form = .anything
        } else if tokens.allSatisfy({ $0 < 256 }) {
            form = .literal(tokens.map { UInt8($0) })
        } else {
            form = .pattern(tokens)
        }
    }

    /// Matches any text.
    static let anything = Wildcards(form: .anything)

    private init(form: Form) {
        self.form = form
        isLowerCase = false
    }

    /// Whether the whole text matches. A variable that the request lacks matches nothing.
    func matches(_ text: ArraySlice<UInt8>, _ request: AccessRequest) -> Bool {
        switch form {
        case .anything: true
        case .literal(let literal): literal.count == text.count && text.elementsEqual(literal)
        case .pattern(let tokens): Self.matches(tokens, text)
        case .filledIn(let parts): filled(parts, request).map { Self.matches($0, text) } ?? false
        }
    }

    /// Whether some request could make the whole text match.
    func mayMatch(_ text: ArraySlice<UInt8>) -> Bool {
        switch form {
        case .anything: return true
        case .literal(let literal): return literal.count == text.count && text.elementsEqual(literal)
        case .pattern(let tokens): return Self.matches(tokens, text)
        case .filledIn(let parts):
            var tokens: [Token] = []
            for part in parts {
                if case .tokens(let more) = part { tokens += more } else { tokens.append(Self.anyText) }
            }
            return Self.matches(tokens, text)
        }
    }

    private func filled(_ parts: [Part], _ request: AccessRequest) -> [Token]? {
        var tokens: [Token] = []
        for part in parts {
            switch part {
            case .tokens(let more): tokens += more
            case .variable(let variable):
                guard let value = variable.value(request) else { return nil }
                tokens += (isLowerCase ? value.lowercased() : value).utf8.map { Token($0) }
            }
        }
        return tokens
    }

    /// Goes back to the last `*` alone: earlier ones need no second try, so the time is at most text × pattern.
    private static func matches(_ tokens: [Token], _ text: ArraySlice<UInt8>) -> Bool {
        var (token, at) = (0, text.startIndex)
        var star: (token: Int, at: Int)?
        while at < text.endIndex {
            if token < tokens.count, tokens[token] == anyText {
                star = (token, at)
                token += 1
            } else if token < tokens.count, tokens[token] == oneCharacter {
                token += 1
                at = endOfCharacter(text, at)
            } else if token < tokens.count, tokens[token] == Token(text[at]) {
                token += 1
                at += 1
            } else if let last = star {
                token = last.token + 1
                at = last.at + 1
                star = (last.token, at)
            } else {
                return false
            }
        }
        while token < tokens.count, tokens[token] == anyText { token += 1 }
        return token == tokens.count
    }

    /// Behind the UTF-8 sequence that starts here.
    private static func endOfCharacter(_ text: ArraySlice<UInt8>, _ start: Int) -> Int {
        var at = start + 1
        while at < text.endIndex, text[at] & 0xC0 == 0x80 { at += 1 }
        return at
    }
}
