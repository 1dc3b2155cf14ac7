/// A JSON document (RFC 8259) as a tree, for control requests, configuration and other small texts. Hot paths scan bytes
/// instead.
public enum JSONValue: Sendable, Equatable {
    /// One member of an object.
    public struct Member: Sendable, Equatable {
        /// The name, unescaped.
        public var name: String
        /// The value.
        public var value: JSONValue
        /// Where the name starts in the text, in bytes.
        public var offset: Int

        /// A name with its value.
        public init(_ name: String, _ value: JSONValue, offset: Int = 0) {
            self.name = name
            self.value = value
            self.offset = offset
        }
    }

    /// `null`
    case null
    /// `true` or `false`
    case bool(Bool)
    /// A number, as it was written: conversions are the reader's, so nothing is lost in between.
    case number(String)
    /// A string, unescaped.
    case string(String)
    /// A byte string: only CBOR has them.
    case bytes([UInt8])
    /// A list.
    case array([JSONValue])
    /// Members in the order of the text; of equal names the last one counts.
    case object([Member])

    /// The member's value; nil when this is no object, has no such member, or the member is null.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self, let member = members.last(where: { $0.name == name }) else {
            return nil
        }
        return member.value == .null ? nil : member.value
    }

    /// The text of a string.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The truth of a boolean.
    public var bool: Bool? {
        if case .bool(let truth) = self { truth } else { nil }
    }

    /// The elements of a list.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members of an object.
    public var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// A number without a fraction that fits.
    public var integer: Int64? {
        guard case .number(let text) = self else { return nil }
        if let exact = Int64(text) { return exact }
        guard let real = Double(text), real.rounded() == real, abs(real) < 9.2e18 else { return nil }
        return Int64(real)
    }

    /// Any number.
    public var real: Double? {
        if case .number(let text) = self { Double(text) } else { nil }
    }

    /// What a person would call this.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .bytes: "a byte string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// Why a text is not JSON, and where.
public struct JSONSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was wrong.
    public var reason: String
    /// Where, in bytes from the start.
    public var offset: Int

    public var description: String { "\(reason) at byte \(offset)" }
}

extension JSONValue {
    /// Parses a whole text. With `comments`, `//` and `/* */` count as blanks. Nesting is limited to 128 levels.
    public init(parsing bytes: some Sequence<UInt8>, comments: Bool = false) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes: Array(bytes), comments: comments)
        self = try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let comments: Bool
    var at = 0
    var depth = 0

    init(bytes: [UInt8], comments: Bool) {
        self.bytes = bytes
        self.comments = comments
    }

    mutating func document() throws(JSONSyntaxError) -> JSONValue {
        let value = try value()
        try skipBlanks()
        guard at == bytes.count else { throw error("unexpected text behind the document") }
        return value
    }

    private func error(_ reason: String) -> JSONSyntaxError { JSONSyntaxError(reason: reason, offset: at) }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipBlanks() throws(JSONSyntaxError) {
        while let byte = next {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            case UInt8(ascii: "/") where comments: try skipComment()
            default: return
            }
        }
    }

    private mutating func skipComment() throws(JSONSyntaxError) {
        guard at + 1 < bytes.count else { throw error("unexpected '/'") }
        if bytes[at + 1] == UInt8(ascii: "/") {
            while let byte = next, byte != 0x0A { at += 1 }
        } else if bytes[at + 1] == UInt8(ascii: "*") {
            let start = at
            at += 2
            while at + 1 < bytes.count, !(bytes[at] == UInt8(ascii: "*") && bytes[at + 1] == UInt8(ascii: "/")) {
                at += 1
            }
            guard at + 1 < bytes.count else {
                at = start
                throw error("comment without an end")
            }
            at += 2
        } else {
            throw error("unexpected '/'")
        }
    }

    private mutating func value() throws(JSONSyntaxError) -> JSONValue {
        try skipBlanks()
        guard let byte = next else { throw error("the text ends where a value is expected") }
        switch byte {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        let count = text.utf8CodeUnitCount
        guard at + count <= bytes.count,
            bytes[at..<at + count].elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
        else { throw error("a value is expected") }
        at += count
        return value
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = at
        func digits(_ parser: inout JSONParser) -> Int {
            let from = parser.at
            while let byte = parser.next, byte >= 0x30, byte <= 0x39 { parser.at += 1 }
            return parser.at - from
        }
        if next == UInt8(ascii: "-") { at += 1 }
        let first = next
        let whole = digits(&self)
        guard whole > 0, !(first == 0x30 && whole > 1) else {
            at = start
            throw error("a value is expected")
        }
        if next == UInt8(ascii: ".") {
            at += 1
            guard digits(&self) > 0 else { throw error("a digit is expected") }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            at += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
            guard digits(&self) > 0 else { throw error("a digit is expected") }
        }
        return .number(String(decoding: bytes[start..<at], as: UTF8.self))
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        at += 1
        let start = at
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { at += 1 }
        if next == UInt8(ascii: "\"") {
            guard let text = String(validating: bytes[start..<at], as: UTF8.self) else {
                throw error("text is not UTF-8")
            }
            at += 1
            return text
        }
        let (text, end) = try JSONString.unescape(bytes, from: start)
        at = end
        return text
    }

    private mutating func array() throws(JSONSyntaxError) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var elements: [JSONValue] = []
        try skipBlanks()
        if next == UInt8(ascii: "]") {
            at += 1
            return .array([])
        }
        while true {
            elements.append(try value())
            try skipBlanks()
            switch next {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"):
                at += 1
                return .array(elements)
            default: throw error("',' or ']' is expected")
            }
        }
    }

    private mutating func object() throws(JSONSyntaxError) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var members: [JSONValue.Member] = []
        try skipBlanks()
        if next == UInt8(ascii: "}") {
            at += 1
            return .object([])
        }
        while true {
            try skipBlanks()
            let offset = at
            guard next == UInt8(ascii: "\"") else { throw error("a member's name in quotes is expected") }
            let name = try string()
            try skipBlanks()
            guard next == UInt8(ascii: ":") else { throw error("':' is expected") }
            at += 1
            members.append(JSONValue.Member(name, try value(), offset: offset))
            try skipBlanks()
            switch next {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"):
                at += 1
                return .object(members)
            default: throw error("',' or '}' is expected")
            }
        }
    }

    private mutating func enter() throws(JSONSyntaxError) {
        at += 1
        depth += 1
        guard depth <= 128 else { throw error("nested deeper than 128 levels") }
    }
}
