import AWSProtocol
import DynamoDBTypes

extension Update {
    /// The item after the update. Every operand sees the item as it was. Throws `ValidationException` in AWS's words.
    public func applied(to item: Item) throws(AWSError) -> Item {
        var result = item
        var removals: [DocumentPath] = []
        for (path, action) in actions {
            switch action {
            case .set(let operand): try Self.assign(try operand.value(in: item), at: path, in: &result)
            case .remove: removals.append(path)
            case .add(let value): try Self.add(value, at: path, in: &result)
            case .delete(let value): try Self.delete(value, at: path, in: &result)
            }
        }
        // Later elements of a list first, so that the indexes of the others keep their meaning.
        for path in removals.sorted(by: Self.isRemovedFirst) { try Self.assign(nil, at: path, in: &result) }
        return result
    }

    private static func isRemovedFirst(_ left: DocumentPath, _ right: DocumentPath) -> Bool {
        for (mine, others) in zip(left.steps, right.steps) {
            if case .index(let first) = mine, case .index(let second) = others, first != second {
                return first > second
            }
        }
        return false
    }

    static var wrongType: AWSError {
        .validation("An operand in the update expression has an incorrect data type")
    }

    private static var wrongPath: AWSError {
        .validation("The document path provided in the update expression is invalid for update")
    }

    /// Puts a value at a place, nil for taking it away.
    private static func assign(
        _ value: AttributeValue?,
        at path: DocumentPath,
        in item: inout Item
    ) throws(AWSError) {
        if path.steps.isEmpty {
            item[path.attribute] = value
            return
        }
        guard var holder = item[path.attribute] else { throw wrongPath }
        try assign(value, at: path.steps[...], in: &holder)
        item[path.attribute] = holder
    }

    private static func assign(
        _ value: AttributeValue?,
        at steps: ArraySlice<DocumentPath.Step>,
        in holder: inout AttributeValue
    ) throws(AWSError) {
        guard let step = steps.first else { return }
        let rest = steps.dropFirst()
        switch (step, holder) {
        case (.member(let name), .map(var members)):
            if rest.isEmpty {
                members[name] = value
            } else {
                guard var child = members[name] else { throw wrongPath }
                try assign(value, at: rest, in: &child)
                members[name] = child
            }
            holder = .map(members)
        case (.index(let index), .list(var elements)):
            if !rest.isEmpty {
                guard elements.indices.contains(index) else { throw wrongPath }
                try assign(value, at: rest, in: &elements[index])
            } else if let value {
                if elements.indices.contains(index) { elements[index] = value } else { elements.append(value) }
            } else if elements.indices.contains(index) {
                elements.remove(at: index)
            }
            holder = .list(elements)
        default: throw wrongPath
        }
    }

    private static func add(
        _ value: AttributeValue,
        at path: DocumentPath,
        in item: inout Item
    ) throws(AWSError) {
        let sum: AttributeValue
        switch (path.value(in: item), value) {
        case (nil, _): sum = value
        case (.number(let number), .number(let more)): sum = .number(try number.adding(more))
        case (.stringSet(let elements), .stringSet(let more)): sum = AttributeValue(stringSet: elements + more)
        case (.numberSet(let elements), .numberSet(let more)): sum = .numberSet(Set(elements + more).sorted())
        case (.binarySet(let elements), .binarySet(let more)):
            sum = .binarySet(Set(elements + more).sorted { $0.lexicographicallyPrecedes($1) })
        case (.list(let elements), .list(let more)): sum = .list(elements + more)
        default: throw wrongType
        }
        try assign(sum, at: path, in: &item)
    }

    private static func delete(
        _ value: AttributeValue,
        at path: DocumentPath,
        in item: inout Item
    ) throws(AWSError) {
        let rest: AttributeValue?
        switch (path.value(in: item), value) {
        case (nil, _): return
        case (.stringSet(let elements), .stringSet(let less)):
            let kept = elements.filter { element in !less.contains { $0.utf8.elementsEqual(element.utf8) } }
            rest = kept.isEmpty ? nil : .stringSet(kept)
        case (.numberSet(let elements), .numberSet(let less)):
            let kept = elements.filter { !less.contains($0) }
            rest = kept.isEmpty ? nil : .numberSet(kept)
        case (.binarySet(let elements), .binarySet(let less)):
            let kept = elements.filter { !less.contains($0) }
            rest = kept.isEmpty ? nil : .binarySet(kept)
        default: throw wrongType
        }
        try assign(rest, at: path, in: &item)
    }
}

extension Update.Operand {
    /// The operand's value for an item.
    func value(in item: Item) throws(AWSError) -> AttributeValue {
        switch self {
        case .value(let value): return value
        case .path(let path):
            guard let value = path.value(in: item) else {
                throw .validation("The provided expression refers to an attribute that does not exist in the item")
            }
            return value
        case .ifNotExists(let path, let fallback):
            if let value = path.value(in: item) { return value }
            return try fallback.value(in: item)
        case .listAppend(let first, let second):
            guard case .list(let left) = try first.value(in: item), case .list(let right) = try second.value(in: item)
            else { throw Update.wrongType }
            return .list(left + right)
        case .plus(let first, let second):
            guard let left = try first.value(in: item).number, let right = try second.value(in: item).number else {
                throw Update.wrongType
            }
            return .number(try left.adding(right))
        case .minus(let first, let second):
            guard let left = try first.value(in: item).number, let right = try second.value(in: item).number else {
                throw Update.wrongType
            }
            return .number(try left.adding(right.negated))
        }
    }
}
