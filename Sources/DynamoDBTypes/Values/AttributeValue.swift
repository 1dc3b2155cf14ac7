import AWSProtocol

/// An item: attributes by name.
public typealias Item = [String: AttributeValue]

/// A value of an attribute. Strings are equal when their UTF-8 bytes are, numbers when they have the same value, sets
/// whatever their order.
public enum AttributeValue: Sendable, Equatable {
    /// `S`
    case string(String)
    /// `N`
    case number(DecimalNumber)
    /// `B`
    case binary([UInt8])
    /// `BOOL`
    case bool(Bool)
    /// `NULL`
    case null
    /// `SS`, sorted by UTF-8 bytes, without duplicates
    case stringSet([String])
    /// `NS`, sorted, without duplicates
    case numberSet([DecimalNumber])
    /// `BS`, sorted, without duplicates
    case binarySet([[UInt8]])
    /// `L`
    case list([AttributeValue])
    /// `M`
    case map([String: AttributeValue])

    /// DynamoDB's name of the type, as on the wire.
    public var type: String {
        switch self {
        case .string: "S"
        case .number: "N"
        case .binary: "B"
        case .bool: "BOOL"
        case .null: "NULL"
        case .stringSet: "SS"
        case .numberSet: "NS"
        case .binarySet: "BS"
        case .list: "L"
        case .map: "M"
        }
    }

    /// The long name of the type that error texts of update expressions use.
    public var longType: String {
        switch self {
        case .string: "STRING"
        case .number: "NUMBER"
        case .binary: "BINARY"
        case .bool: "BOOLEAN"
        case .null: "NULL"
        case .stringSet: "STRING_SET"
        case .numberSet: "NUMBER_SET"
        case .binarySet: "BINARY_SET"
        case .list: "LIST"
        case .map: "MAP"
        }
    }

    /// Every type name.
    public static let types = ["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"]

    /// The text of an `S`.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The number of an `N`.
    public var number: DecimalNumber? {
        if case .number(let number) = self { number } else { nil }
    }

    /// Equality as DynamoDB's `=` has it.
    public static func == (lhs: AttributeValue, rhs: AttributeValue) -> Bool {
        switch (lhs, rhs) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.number(let left), .number(let right)): left == right
        case (.binary(let left), .binary(let right)): left == right
        case (.bool(let left), .bool(let right)): left == right
        case (.null, .null): true
        case (.stringSet(let left), .stringSet(let right)):
            left.elementsEqual(right) { $0.utf8.elementsEqual($1.utf8) }
        case (.numberSet(let left), .numberSet(let right)): left == right
        case (.binarySet(let left), .binarySet(let right)): left == right
        case (.list(let left), .list(let right)): left == right
        case (.map(let left), .map(let right)): left == right
        default: false
        }
    }

    /// Whether `lhs` sorts before `rhs`: strings and binaries by bytes, numbers by value; nil for other or unequal types.
    public static func isLess(_ lhs: AttributeValue, than rhs: AttributeValue) -> Bool? {
        switch (lhs, rhs) {
        case (.string(let left), .string(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
        case (.number(let left), .number(let right)): left < right
        case (.binary(let left), .binary(let right)): left.lexicographicallyPrecedes(right)
        default: nil
        }
    }

    /// Bytes this value counts for in DynamoDB's item size.
    public var size: Int {
        switch self {
        case .string(let text): text.utf8.count
        case .number(let number): 2 + String(number.coefficient).utf8.count / 2
        case .binary(let bytes): bytes.count
        case .bool, .null: 1
        case .stringSet(let elements): elements.reduce(0) { $0 + $1.utf8.count }
        case .numberSet(let elements): elements.reduce(0) { $0 + AttributeValue.number($1).size }
        case .binarySet(let elements): elements.reduce(0) { $0 + $1.count }
        case .list(let elements): elements.reduce(3) { $0 + $1.size + 1 }
        case .map(let members): members.reduce(3) { $0 + $1.key.utf8.count + $1.value.size + 1 }
        }
    }
}

extension [String: AttributeValue] {
    /// DynamoDB's size of an item, in bytes: names and values.
    public var itemSize: Int { reduce(0) { $0 + $1.key.utf8.count + $1.value.size } }
}

extension AttributeValue {
    /// Whether lists and maps are at most so many levels deep.
    public func isNested(atMost levels: Int) -> Bool {
        switch self {
        case .list(let elements): levels > 0 && elements.allSatisfy { $0.isNested(atMost: levels - 1) }
        case .map(let members): levels > 0 && members.values.allSatisfy { $0.isNested(atMost: levels - 1) }
        default: true
        }
    }
}
