import AWSProtocol

extension AttributeValue {
    /// Reads the wire form, an object with one member such as `{"S": "text"}`. Throws `SerializationException` for a wrong
    /// shape, `ValidationException` for a wrong value.
    public init(json: JSONValue) throws(AWSError) {
        guard let members = json.members else {
            throw .serialization("Unexpected value type in payload: expected an attribute value, found \(json.kind)")
        }
        let set = members.filter { $0.value != .null }
        guard let member = set.first else {
            throw .validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
        }
        guard set.count == 1 else {
            throw .validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
            )
        }
        switch member.name {
        case "S": self = .string(try Self.text(member))
        case "N": self = .number(try DecimalNumber(parsing: Self.text(member)))
        case "B": self = .binary(try Self.bytes(member.value))
        case "BOOL":
            guard let truth = member.value.bool else { throw Self.wrongType(member) }
            self = .bool(truth)
        case "NULL":
            guard let truth = member.value.bool else { throw Self.wrongType(member) }
            guard truth else {
                throw .validation(
                    "One or more parameter values were invalid: Null attribute value types must have the value of true"
                )
            }
            self = .null
        case "SS": self = try Self.stringSet(member)
        case "NS": self = try Self.numberSet(member)
        case "BS": self = try Self.binarySet(member)
        case "L":
            guard let elements = member.value.array else { throw Self.wrongType(member) }
            var list: [AttributeValue] = []
            for element in elements { list.append(try AttributeValue(json: element)) }
            self = .list(list)
        case "M": self = .map(try Item(json: member.value))
        default:
            throw .validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
        }
    }

    private static func wrongType(_ member: JSONValue.Member) -> AWSError {
        .serialization("Unexpected value type in payload: \(member.name) can not hold \(member.value.kind)")
    }

    private static func text(_ member: JSONValue.Member) throws(AWSError) -> String {
        guard let text = member.value.string else { throw wrongType(member) }
        return text
    }

    private static func bytes(_ value: JSONValue) throws(AWSError) -> [UInt8] {
        guard let text = value.string, let bytes = Base64.decode(text) else {
            throw .serialization("Base64 encoded length is unexpected or the text is not Base64")
        }
        return bytes
    }

    private static func elements(_ member: JSONValue.Member, _ kind: String) throws(AWSError) -> [JSONValue] {
        guard let elements = member.value.array else { throw wrongType(member) }
        guard !elements.isEmpty else {
            throw .validation("One or more parameter values were invalid: An \(kind) set  may not be empty")
        }
        return elements
    }

    private static func duplicates(_ elements: [String]) -> AWSError {
        .validation(
            "One or more parameter values were invalid: Input collection [\(elements.joined(separator: ", "))] "
                + "contains duplicates."
        )
    }

    private static func stringSet(_ member: JSONValue.Member) throws(AWSError) -> AttributeValue {
        var strings: [String] = []
        for element in try elements(member, "string") {
            guard let text = element.string else { throw wrongType(member) }
            strings.append(text)
        }
        let set = AttributeValue(stringSet: strings)
        guard case .stringSet(let unique) = set, unique.count == strings.count else { throw duplicates(strings) }
        return set
    }

    private static func numberSet(_ member: JSONValue.Member) throws(AWSError) -> AttributeValue {
        var numbers: [DecimalNumber] = []
        for element in try elements(member, "number") {
            guard let text = element.string else { throw wrongType(member) }
            numbers.append(try DecimalNumber(parsing: text))
        }
        let unique = Set(numbers)
        guard unique.count == numbers.count else {
            throw .validation("Input collection contains duplicates")
        }
        return .numberSet(unique.sorted())
    }

    private static func binarySet(_ member: JSONValue.Member) throws(AWSError) -> AttributeValue {
        var binaries: [[UInt8]] = []
        for element in try elements(member, "binary") { binaries.append(try bytes(element)) }
        let unique = Set(binaries)
        guard unique.count == binaries.count else {
            throw .validation("One or more parameter values were invalid: Input collection contains duplicates.")
        }
        return .binarySet(unique.sorted { $0.lexicographicallyPrecedes($1) })
    }

    /// A string set of some strings, sorted and without duplicates.
    public init(stringSet strings: some Sequence<String>) {
        var sorted = strings.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        var kept = 0
        for index in sorted.indices where index == 0 || !sorted[index].utf8.elementsEqual(sorted[kept - 1].utf8) {
            sorted[kept] = sorted[index]
            kept += 1
        }
        sorted.removeLast(sorted.count - kept)
        self = .stringSet(sorted)
    }

    /// Writes the wire form.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        switch self {
        case .string(let text):
            writer.name("S")
            writer.string(text)
        case .number(let number):
            writer.name("N")
            writer.string(number.description)
        case .binary(let bytes):
            writer.name("B")
            writer.string(Base64.encode(bytes))
        case .bool(let truth):
            writer.name("BOOL")
            writer.bool(truth)
        case .null:
            writer.name("NULL")
            writer.bool(true)
        case .stringSet(let elements):
            writer.name("SS")
            writer.array { for element in elements { $0.string(element) } }
        case .numberSet(let elements):
            writer.name("NS")
            writer.array { for element in elements { $0.string(element.description) } }
        case .binarySet(let elements):
            writer.name("BS")
            writer.array { for element in elements { $0.string(Base64.encode(element)) } }
        case .list(let elements):
            writer.name("L")
            writer.array { for element in elements { element.write(to: &$0) } }
        case .map(let members):
            writer.name("M")
            members.write(to: &writer)
        }
        writer.endObject()
    }

    /// The wire form as a tree.
    public var json: JSONValue {
        let value: JSONValue =
            switch self {
            case .string(let text): .string(text)
            case .number(let number): .string(number.description)
            case .binary(let bytes): .string(Base64.encode(bytes))
            case .bool(let truth): .bool(truth)
            case .null: .bool(true)
            case .stringSet(let elements): .array(elements.map { .string($0) })
            case .numberSet(let elements): .array(elements.map { .string($0.description) })
            case .binarySet(let elements): .array(elements.map { .string(Base64.encode($0)) })
            case .list(let elements): .array(elements.map(\.json))
            case .map(let members): members.json
            }
        return .object([JSONValue.Member(type, value)])
    }
}

extension [String: AttributeValue] {
    /// Reads a map of attribute values in their wire form.
    public init(json: JSONValue) throws(AWSError) {
        guard let members = json.members else {
            throw .serialization("Unexpected value type in payload: expected a map, found \(json.kind)")
        }
        self = [:]
        for member in members { self[member.name] = try AttributeValue(json: member.value) }
    }

    /// Writes a map of attribute values in their wire form, by sorted name.
    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        for name in keys.sorted() {
            writer.name(escaping: name)
            self[name]?.write(to: &writer)
        }
        writer.endObject()
    }

    /// The wire form as a tree, by sorted name.
    public var json: JSONValue {
        .object(sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value.json) })
    }
}
