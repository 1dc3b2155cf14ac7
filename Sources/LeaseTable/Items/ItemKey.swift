import AWSProtocol
import DynamoDBTypes

/// The name of an item's row: the hash key's text, and behind a `/` the range key in a form whose bytes sort as the keys
/// do. `Rows` in this target's documentation shows examples.
struct ItemKey: Sendable, Equatable {
    /// The hash key's part.
    var hash: String
    /// The whole name.
    var rowName: String

    /// Takes a key apart from an item or a `Key` that was checked against the schema.
    init(_ keys: KeySchema, in item: Item) {
        hash = item[keys.hash].map(Self.hashText) ?? ""
        rowName = hash
        if let range = keys.range, let value = item[range] { rowName += "/" + Self.rangeText(value) }
    }

    /// Text of a hash key without `/`: letters and digits stand for themselves.
    static func hashText(_ value: AttributeValue) -> String {
        switch value {
        case .string(let text):
            var escaped = ""
            for byte in text.utf8 {
                let isPlain =
                    (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
                    || "-_.:".utf8.contains(byte)
                escaped += isPlain ? String(Character(Unicode.Scalar(byte))) : "%" + hex([byte])
            }
            return escaped
        case .number(let number): return number.sortable
        case .binary(let bytes): return hex(bytes)
        default: return ""
        }
    }

    /// Text of a range key that sorts as the key does.
    static func rangeText(_ value: AttributeValue) -> String {
        switch value {
        case .string(let text): hex(Array(text.utf8))
        case .number(let number): number.sortable
        case .binary(let bytes): hex(bytes)
        default: ""
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// The segment of a parallel scan that a row belongs to: all items of a hash key are in one.
    static func segment(ofRow name: String, of total: Int) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 {
            if byte == UInt8(ascii: "/") { break }
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        hash ^= hash >> 32
        return Int(hash % UInt64(total))
    }
}

extension TableShape {
    private static func invalid(_ text: String) -> AWSError {
        .validation("One or more parameter values were invalid: \(text)")
    }

    /// Checks the `Key` of a request: exactly the key attributes, of the right types.
    func check(key: Item) throws(AWSError) {
        guard key.count == keys.names.count, keys.names.allSatisfy({ key[$0]?.type == attributeTypes[$0] }) else {
            throw .validation("The provided key element does not match the schema")
        }
        try checkKeyValues(key)
    }

    /// Checks an item that is to be written: its key, the keys of indexes, and its size.
    func check(item: Item, isUpdate: Bool) throws(AWSError) {
        for name in keys.names {
            guard let value = item[name] else { throw Self.invalid("Missing the key \(name) in the item") }
            guard let expected = attributeTypes[name], value.type == expected else {
                throw Self.invalid(
                    "Type mismatch for key \(name) expected: \(attributeTypes[name] ?? "") actual: \(value.type)"
                )
            }
        }
        try checkKeyValues(item)
        for index in indexes {
            for name in index.keys.names {
                guard let value = item[name], let expected = attributeTypes[name] else { continue }
                guard value.type == expected else {
                    throw Self.invalid(
                        "Type mismatch for Index Key \(name) Expected: \(expected) Actual: \(value.type) "
                            + "IndexName: \(index.name)"
                    )
                }
                if let kind = Self.emptyKind(value) {
                    throw .validation(
                        "One or more parameter values are not valid. A value specified for a secondary index key is not "
                            + "supported. The AttributeValue for a key attribute cannot contain an empty \(kind) value. "
                            + "IndexName: \(index.name), IndexKey: \(name)"
                    )
                }
            }
        }
        guard item.values.allSatisfy({ $0.isNested(atMost: Self.nestingLimit) }) else {
            throw .validation(
                "Nesting Levels have exceeded supported limits: Attributes can be nested up to 32 levels deep"
            )
        }
        guard item.itemSize <= Self.itemLimit else {
            throw .validation(
                isUpdate
                    ? "Item size to update has exceeded the maximum allowed size"
                    : "Item size has exceeded the maximum allowed size"
            )
        }
    }

    /// DynamoDB's limit of the levels of lists and maps in an attribute.
    static var nestingLimit: Int { 32 }

    /// DynamoDB's limit of an item, in bytes.
    static var itemLimit: Int { 400 * 1024 }

    private func checkKeyValues(_ item: Item) throws(AWSError) {
        for name in keys.names {
            guard let value = item[name] else { continue }
            if let kind = Self.emptyKind(value) {
                throw .validation(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                        + "empty \(kind) value. Key: \(name)"
                )
            }
        }
        if let size = item[keys.hash]?.size, size > 2048 {
            throw Self.invalid("Size of hashkey has exceeded the maximum size limit of2048 bytes")
        }
        if let range = keys.range, let size = item[range]?.size, size > 1024 {
            throw Self.invalid("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
        }
    }

    private static func emptyKind(_ value: AttributeValue) -> String? {
        switch value {
        case .string(let text) where text.isEmpty: "string"
        case .binary(let bytes) where bytes.isEmpty: "binary"
        default: nil
        }
    }

    /// Refuses an update of a key attribute.
    func check(update: Update) throws(AWSError) {
        for (path, _) in update.actions where keys.names.contains(path.attribute) {
            throw Self.invalid(
                "Cannot update attribute \(path.attribute). This attribute is part of the key"
            )
        }
    }
}
