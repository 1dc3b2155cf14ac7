import AWSProtocol

/// A token of an expression with its place in the text.
struct ExpressionToken: Equatable {
    enum Kind: Equatable {
        /// A word: a keyword, a function or an attribute's name.
        case word(String)
        /// `#name`
        case nameReference(String)
        /// `:value`
        case valueReference(String)
        /// An index between brackets.
        case number(String)
        /// One of `( ) [ ] , . = < > <= >= <> + -`
        case symbol(String)
        /// Something that no expression has.
        case unknown
        /// Behind the last token.
        case end
    }

    var kind: Kind
    /// UTF-8 offsets in the text.
    var range: Range<Int>
}

/// Cuts an expression into tokens; blanks separate them and mean nothing else.
struct ExpressionTokenizer {
    private static func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || byte == UInt8(ascii: "_")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    static func tokens(of text: [UInt8]) -> [ExpressionToken] {
        var tokens: [ExpressionToken] = []
        var at = 0
        while at < text.count {
            if [0x20, 0x09, 0x0A, 0x0D].contains(text[at]) {
                at += 1
                continue
            }
            let token = next(text, at)
            tokens.append(token)
            at = token.range.upperBound
        }
        let end = tokens.last?.range.upperBound ?? 0
        tokens.append(ExpressionToken(kind: .end, range: end..<end))
        return tokens
    }

    private static func next(_ text: [UInt8], _ start: Int) -> ExpressionToken {
        var end = start + 1
        func take(_ belongs: (UInt8) -> Bool) -> String {
            while end < text.count, belongs(text[end]) { end += 1 }
            return String(decoding: text[start..<end], as: UTF8.self)
        }
        let kind: ExpressionToken.Kind
        switch text[start] {
        case let byte where isLetter(byte): kind = .word(take { isLetter($0) || isDigit($0) })
        case let byte where isDigit(byte): kind = .number(take(isDigit))
        case UInt8(ascii: "#"):
            let name = take { isLetter($0) || isDigit($0) }
            kind = name.utf8.count > 1 ? .nameReference(name) : .unknown
        case UInt8(ascii: ":"):
            let name = take { isLetter($0) || isDigit($0) }
            kind = name.utf8.count > 1 ? .valueReference(name) : .unknown
        case UInt8(ascii: "<"), UInt8(ascii: ">"):
            if end < text.count, text[end] == UInt8(ascii: "=") || text[start...end].elementsEqual("<>".utf8) {
                end += 1
            }
            kind = .symbol(String(decoding: text[start..<end], as: UTF8.self))
        case let byte where "()[],.=+-".utf8.contains(byte):
            kind = .symbol(String(Character(Unicode.Scalar(byte))))
        default:
            // A whole scalar, so that messages stay UTF-8.
            while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
            kind = .unknown
        }
        return ExpressionToken(kind: kind, range: start..<end)
    }
}
