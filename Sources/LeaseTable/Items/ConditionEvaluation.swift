import DynamoDBTypes

extension Condition {
    /// Whether the condition holds for an item; no item is an item without attributes.
    public func holds(for item: Item) -> Bool {
        switch self {
        case .all(let parts): return parts.allSatisfy { $0.holds(for: item) }
        case .any(let parts): return parts.contains { $0.holds(for: item) }
        case .not(let part): return !part.holds(for: item)
        case .exists(let path): return path.value(in: item) != nil
        case .notExists(let path): return path.value(in: item) == nil
        case .hasType(let path, let type):
            guard let value = path.value(in: item) else { return false }
            return type.value(in: item)?.string == value.type
        case .compare(let left, let comparator, let right):
            return Self.compare(left.value(in: item), comparator, right.value(in: item))
        case .between(let operand, let low, let high):
            let value = operand.value(in: item)
            return Self.compare(value, .greaterOrEqual, low.value(in: item))
                && Self.compare(value, .lessOrEqual, high.value(in: item))
        case .isIn(let operand, let alternatives):
            guard let value = operand.value(in: item) else { return false }
            return alternatives.contains { $0.value(in: item) == value }
        case .beginsWith(let operand, let prefix):
            switch (operand.value(in: item), prefix.value(in: item)) {
            case (.string(let text), .string(let start)): return text.utf8.starts(with: start.utf8)
            case (.binary(let bytes), .binary(let start)): return bytes.starts(with: start)
            default: return false
            }
        case .contains(let operand, let element):
            guard let whole = operand.value(in: item), let part = element.value(in: item) else { return false }
            return Self.contains(whole, part)
        }
    }

    private static func compare(
        _ left: AttributeValue?,
        _ comparator: Comparator,
        _ right: AttributeValue?
    ) -> Bool {
        guard let left, let right else { return comparator == .notEqual }
        switch comparator {
        case .equal: return left == right
        case .notEqual: return left != right
        case .less: return AttributeValue.isLess(left, than: right) == true
        case .lessOrEqual: return AttributeValue.isLess(right, than: left) == false
        case .greater: return AttributeValue.isLess(right, than: left) == true
        case .greaterOrEqual: return AttributeValue.isLess(left, than: right) == false
        }
    }

    private static func contains(_ whole: AttributeValue, _ part: AttributeValue) -> Bool {
        switch (whole, part) {
        case (.string(let text), .string(let piece)): contains(Array(text.utf8), Array(piece.utf8))
        case (.binary(let bytes), .binary(let piece)): contains(bytes, piece)
        case (.stringSet(let elements), .string(let text)): elements.contains { $0.utf8.elementsEqual(text.utf8) }
        case (.numberSet(let elements), .number(let number)): elements.contains(number)
        case (.binarySet(let elements), .binary(let bytes)): elements.contains(bytes)
        case (.list(let elements), _): elements.contains(part)
        default: false
        }
    }

    private static func contains(_ bytes: [UInt8], _ piece: [UInt8]) -> Bool {
        if piece.isEmpty { return true }
        guard bytes.count >= piece.count else { return false }
        return (0...(bytes.count - piece.count)).contains { bytes[$0...].starts(with: piece) }
    }
}

extension Condition.Operand {
    /// The operand's value, nil when the item has none.
    func value(in item: Item) -> AttributeValue? {
        switch self {
        case .path(let path): path.value(in: item)
        case .value(let value): value
        case .size(let path): path.value(in: item).flatMap(Self.size)
        }
    }

    private static func size(_ value: AttributeValue) -> AttributeValue? {
        let count: Int? =
            switch value {
            case .string(let text): text.utf16.count
            case .binary(let bytes): bytes.count
            case .stringSet(let elements): elements.count
            case .numberSet(let elements): elements.count
            case .binarySet(let elements): elements.count
            case .list(let elements): elements.count
            case .map(let members): members.count
            case .number, .bool, .null: nil
            }
        return count.map { .number(DecimalNumber($0)) }
    }
}
