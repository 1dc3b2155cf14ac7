/// Why bytes are not CBOR, and where.
public struct CBORSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was wrong.
    public var reason: String
    /// Where, in bytes from the start.
    public var offset: Int

    public var description: String { "\(reason) at byte \(offset)" }
}

extension JSONValue {
    /// Parses one CBOR item (RFC 8949) that fills the bytes. Tags are passed over, numbers of any width become numbers, byte
    /// strings `bytes`. Keys of maps must be text. Nesting is limited to 128 levels.
    public init(parsingCBOR bytes: [UInt8]) throws(CBORSyntaxError) {
        var reader = CBORReader(bytes: bytes)
        self = try reader.document()
    }
}

/// An item is a head and what follows it:
///
///     | major type, 3 bits | info, 5 bits | 0, 1, 2, 4 or 8 bytes of argument | content |
///
/// Info 31 is "indefinite length": items up to a break (0xFF).
private struct CBORReader {
    let bytes: [UInt8]
    var at = 0
    var depth = 0

    private struct Head {
        var major: UInt8
        /// nil: indefinite length.
        var argument: UInt64?
        var info: UInt8
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(CBORSyntaxError) -> JSONValue {
        let value = try item()
        guard at == bytes.count else { throw error("unexpected bytes behind the item") }
        return value
    }

    private func error(_ reason: String) -> CBORSyntaxError { CBORSyntaxError(reason: reason, offset: at) }

    private mutating func head() throws(CBORSyntaxError) -> Head {
        guard at < bytes.count else { throw error("the bytes end where an item is expected") }
        let (major, info) = (bytes[at] >> 5, bytes[at] & 31)
        at += 1
        switch info {
        case 0..<24: return Head(major: major, argument: UInt64(info), info: info)
        case 24...27:
            let width = 1 << Int(info - 24)
            guard bytes.count - at >= width else { throw error("the bytes end inside of a number") }
            var argument: UInt64 = 0
            for byte in bytes[at..<at + width] { argument = argument << 8 | UInt64(byte) }
            at += width
            return Head(major: major, argument: argument, info: info)
        case 31 where major >= 2 && major != 6: return Head(major: major, argument: nil, info: info)
        default: throw error("an item of a reserved kind")
        }
    }

    private mutating func item() throws(CBORSyntaxError) -> JSONValue {
        let head = try head()
        switch head.major {
        case 0: return .number(String(head.argument ?? 0))
        case 1: return .number("-" + String(UInt128(head.argument ?? 0) + 1))
        case 2: return .bytes(try content(head))
        case 3:
            guard let text = String(validating: try content(head), as: UTF8.self) else {
                throw error("text is not UTF-8")
            }
            return .string(text)
        case 4: return try array(head.argument)
        case 5: return try map(head.argument)
        case 6:
            try enter()
            defer { depth -= 1 }
            return try item()
        default: return try simple(head)
        }
    }

    private mutating func enter() throws(CBORSyntaxError) {
        guard depth < 128 else { throw error("nesting is deeper than 128 levels") }
        depth += 1
    }

    /// The bytes of a string, whole or in chunks.
    private mutating func content(_ head: Head) throws(CBORSyntaxError) -> [UInt8] {
        if let count = head.argument { return try take(count) }
        var content: [UInt8] = []
        while try !isBreak() {
            let chunk = try self.head()
            guard chunk.major == head.major, let count = chunk.argument else {
                throw error("a chunk of another kind in a string")
            }
            content += try take(count)
        }
        return content
    }

    private mutating func take(_ count: UInt64) throws(CBORSyntaxError) -> [UInt8] {
        guard count <= UInt64(bytes.count - at) else { throw error("the bytes end inside of a string") }
        defer { at += Int(count) }
        return Array(bytes[at..<at + Int(count)])
    }

    private mutating func isBreak() throws(CBORSyntaxError) -> Bool {
        guard at < bytes.count else { throw error("the bytes end before a break") }
        guard bytes[at] == 0xFF else { return false }
        at += 1
        return true
    }

    /// Counts down to the end of a list or a map; the count is the sender's claim, so nothing is reserved by it.
    private mutating func isAtEnd(_ rest: inout UInt64?) throws(CBORSyntaxError) -> Bool {
        guard let count = rest else { return try isBreak() }
        if count == 0 { return true }
        rest = count - 1
        return false
    }

    private mutating func array(_ count: UInt64?) throws(CBORSyntaxError) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var elements: [JSONValue] = []
        var rest = count
        while try !isAtEnd(&rest) { elements.append(try item()) }
        return .array(elements)
    }

    private mutating func map(_ count: UInt64?) throws(CBORSyntaxError) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var members: [JSONValue.Member] = []
        var rest = count
        while try !isAtEnd(&rest) {
            let offset = at
            guard case .string(let name) = try item() else { throw error("a key that is not text") }
            members.append(JSONValue.Member(name, try item(), offset: offset))
        }
        return .object(members)
    }

    private func simple(_ head: Head) throws(CBORSyntaxError) -> JSONValue {
        let argument = head.argument ?? 0
        let real: Double
        switch head.info {
        case 20: return .bool(false)
        case 21: return .bool(true)
        case 22, 23: return .null
        case 25: real = Self.half(UInt16(truncatingIfNeeded: argument))
        case 26: real = Double(Float(bitPattern: UInt32(truncatingIfNeeded: argument)))
        case 27: real = Double(bitPattern: argument)
        default: throw error(head.info == 31 ? "a break where an item is expected" : "an item of a reserved kind")
        }
        // JSON has no such numbers either.
        guard real.isFinite else { throw error("a number that is not finite") }
        return .number("\(real)")
    }

    /// A number of 16 bits: sign, 5 bits of exponent, 10 of fraction.
    private static func half(_ bits: UInt16) -> Double {
        let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 1023))
        let magnitude: Double =
            switch exponent {
            case 0: fraction * 0x1p-24
            case 31: fraction == 0 ? .infinity : .nan
            default: (1 + fraction / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
            }
        return bits >> 15 == 0 ? magnitude : -magnitude
    }
}
