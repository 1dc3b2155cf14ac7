/// A constraint's regular expression as AWS prints it, with a predicate that decides it.
public struct Pattern: Sendable {
    /// As the message quotes it.
    public var text: String
    /// Whether a whole string matches.
    public var matches: @Sendable (String) -> Bool

    /// A named predicate.
    public init(_ text: String, matches: @escaping @Sendable (String) -> Bool) {
        self.text = text
        self.matches = matches
    }

    /// `[a-zA-Z0-9_.-]+`: names of streams, shards, consumers and delivery streams.
    public static let name = Pattern("[a-zA-Z0-9_.-]+") { text in
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
                    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            }
    }

    /// `0|([1-9]\d{0,n})`: decimal numbers of at most n + 1 digits.
    public static func decimal(moreDigits: Int) -> Pattern {
        Pattern("0|([1-9]\\d{0,\(moreDigits)})") { isDecimal($0.utf8, atMost: moreDigits + 1) }
    }

    /// Whether these are a decimal number's digits, so many at most, without leading zeros.
    public static func isDecimal(_ digits: some Collection<UInt8>, atMost count: Int) -> Bool {
        !digits.isEmpty && digits.count <= count && digits.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
            && (digits.count == 1 || digits.first != 0x30)
    }
}

/// Reads one request's members: a wrong type throws `SerializationException` at once, a broken constraint is noted, and
/// `finish` throws all that was noted as one `ValidationException`, as AWS does.
public struct RequestReader: Sendable {
    private let value: JSONValue
    private let prefix: String
    private let format: WireFormat
    private var violations: [String] = []
    private var refusal: AWSError?

    /// Parses a body; anything but an object is a `SerializationException`.
    public init(body: [UInt8], format: WireFormat = .json) throws(AWSError) {
        value = try Self.tree(body, format)
        guard case .object = value else {
            throw .serialization("Start of structure or map is expected, found \(value.kind).")
        }
        prefix = ""
        self.format = format
    }

    private static func tree(_ body: [UInt8], _ format: WireFormat) throws(AWSError) -> JSONValue {
        switch format {
        case .json:
            do {
                return try JSONValue(parsing: body)
            } catch {
                throw .serialization("The request body is not valid JSON: \(error)")
            }
        case .cbor:
            do {
                return try JSONValue(parsingCBOR: body)
            } catch {
                throw .serialization("The request body is not valid CBOR: \(error)")
            }
        }
    }

    /// Reads members that were found in another way than by parsing a body.
    public init(members: [JSONValue.Member]) { self.init(value: .object(members), prefix: "", format: .json) }

    /// Reads a nested structure, its violations named with `path`.
    private init(value: JSONValue, prefix: String, format: WireFormat) {
        self.value = value
        self.prefix = prefix
        self.format = format
    }

    /// The tree below a member, as it stands.
    public func raw(_ name: String) -> JSONValue? { value[name] }

    /// A string member within its constraints; nil when absent, or broken.
    public mutating func string(
        _ name: String,
        length: ClosedRange<Int>? = nil,
        pattern: Pattern? = nil,
        values: [String]? = nil,
        required: Bool = false
    ) throws(AWSError) -> String? {
        guard let member = value[name] else { return missing(name, required) }
        guard let text = member.string else { throw .serialization(Self.conversion(member, to: "an String")) }
        let before = violations.count
        if let pattern, !pattern.matches(text) {
            note(text, name, "Member must satisfy regular expression pattern: \(pattern.text)")
        }
        if let length {
            let count = text.utf16.count
            if count > length.upperBound {
                note(text, name, "Member must have length less than or equal to \(length.upperBound)")
            }
            if count < length.lowerBound {
                note(text, name, "Member must have length greater than or equal to \(length.lowerBound)")
            }
        }
        if let values, !values.contains(text) {
            note(text, name, Self.enumConstraint(values))
        }
        return violations.count == before ? text : nil
    }

    /// AWS lists the values in the order of a Java hash table of 32 places.
    static func enumConstraint(_ values: [String]) -> String {
        func place(_ value: String) -> UInt32 { value.utf16.reduce(0) { $0 &* 31 &+ UInt32($1) } & 31 }
        let listed = values.enumerated().sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }
        return "Member must satisfy enum value set: [\(listed.map(\.element).joined(separator: ", "))]"
    }

    /// A whole number within its constraints; nil when absent, or broken.
    public mutating func integer(
        _ name: String,
        in range: ClosedRange<Int>? = nil,
        required: Bool = false
    ) throws(AWSError) -> Int? {
        guard let member = value[name] else { return missing(name, required) }
        guard let number = member.real else { throw .serialization(Self.conversion(member, to: "an Integer")) }
        let integer = Int(max(-2_147_483_648, min(2_147_483_647, number)))
        if let range {
            if integer > range.upperBound {
                note("\(integer)", name, "Member must have value less than or equal to \(range.upperBound)")
                return nil
            }
            if integer < range.lowerBound {
                note("\(integer)", name, "Member must have value greater than or equal to \(range.lowerBound)")
                return nil
            }
        }
        return integer
    }

    /// A boolean; nil when absent.
    public mutating func bool(_ name: String) throws(AWSError) -> Bool? {
        guard let member = value[name] else { return nil }
        if let text = member.string {
            // Shown in capitals, as AWS does.
            throw .serialization("'\(text.uppercased())' can not be converted to an Boolean")
        }
        guard let truth = member.bool else { throw .serialization(Self.conversion(member, to: "an Boolean")) }
        return truth
    }

    /// A timestamp in milliseconds since 1970, sent as seconds with a fraction or, in CBOR, as milliseconds; nil when absent.
    public mutating func timestamp(_ name: String) throws(AWSError) -> Int64? {
        guard let member = value[name] else { return nil }
        guard let number = member.real, abs(number) < 1e15 else {
            throw .serialization(Self.conversion(member, to: "milliseconds since epoch"))
        }
        return Int64(format == .json ? (number * 1000).rounded() : number)
    }

    /// A nested structure, read by `body`; nil when absent.
    public mutating func structure<Result>(
        _ name: String,
        required: Bool = false,
        _ body: (inout RequestReader) throws(AWSError) -> Result
    ) throws(AWSError) -> Result? {
        guard let member = value[name] else { return missing(name, required) }
        if case .array = member { throw .serialization(Self.conversion(member, to: "a Structure")) }
        guard case .object = member else { throw .serialization("Expected null") }
        var nested = RequestReader(value: member, prefix: prefix + Self.lowerFirst(name) + ".", format: format)
        let result = try body(&nested)
        violations += nested.violations
        refusal = refusal ?? nested.refusal
        return result
    }

    /// Notes a violation without the value: AWS prints no record's data.
    public mutating func noteUnshown(_ name: String, _ constraint: String) {
        violations.append("Value at '\(prefix)\(Self.lowerFirst(name))' failed to satisfy constraint: \(constraint)")
    }

    /// Notes a violation that only the caller can see. `shown` is the value as AWS prints it, nil for null.
    public mutating func note(_ shown: String?, _ name: String, _ constraint: String) {
        let value = shown.map { "'\($0)'" } ?? "null"
        violations.append(
            "Value \(value) at '\(prefix)\(Self.lowerFirst(name))' failed to satisfy constraint: \(constraint)"
        )
    }

    /// Whether as many violations are noted as one message lists.
    public var isFull: Bool { violations.count >= Self.listed }

    private static let listed = 10

    /// Keeps an error that `finish` throws when no constraint is broken: AWS checks members one by one before it looks at how
    /// they go together.
    public mutating func refuse(_ error: AWSError) { refusal = refusal ?? error }

    /// Throws what was noted: violations, at most ten, before refusals.
    public func finish() throws(AWSError) {
        if violations.isEmpty {
            if let refusal { throw refusal }
            return
        }
        let listed = violations.prefix(Self.listed)
        let noun = listed.count == 1 ? "error" : "errors"
        throw .validation("\(listed.count) validation \(noun) detected: " + listed.joined(separator: "; "))
    }

    mutating func missing<T>(_ name: String, _ required: Bool) -> T? {
        if required { note(nil, name, "Member must not be null") }
        return nil
    }

    static func lowerFirst(_ name: String) -> String {
        (name.first.map { String($0).lowercased() } ?? "") + name.dropFirst()
    }

    /// AWS's words for a value of another type than the one wanted, which is named with its article.
    public static func conversion(_ value: JSONValue, to type: String) -> String {
        switch value {
        case .bool: "class java.lang.Boolean can not be converted to \(type)"
        case .number: "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to \(type)"
        case .string: "class java.lang.String can not be converted to \(type)"
        case .bytes: "class java.nio.HeapByteBuffer can not be converted to \(type)"
        case .array: "Start of list found where not expected"
        case .object: "Start of structure or map found where not expected."
        case .null: "Unexpected null"
        }
    }
}
