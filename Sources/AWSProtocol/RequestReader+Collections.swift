/// Lists and maps of strings, with the constraints that AWS puts on their elements.
extension RequestReader {
    /// A list of strings within its constraints; nil when absent, or broken.
    public mutating func strings(
        _ name: String,
        count: ClosedRange<Int>,
        length: ClosedRange<Int>? = nil,
        values: [String]? = nil,
        required: Bool = false
    ) throws(AWSError) -> [String]? {
        guard let member = raw(name) else { return missing(name, required) }
        if member.members != nil { throw .serialization(Self.conversion(member, to: "a List")) }
        guard let elements = member.array else { throw .serialization("Expected list or null") }
        var texts: [String] = []
        for element in elements {
            if element == .null { continue }
            guard let text = element.string else { throw .serialization(Self.conversion(element, to: "an String")) }
            texts.append(text)
        }
        let shown = "[\(texts.joined(separator: ", "))]"
        var isGood = noteCount(texts.count, count, shown, name)
        var broken: [String] = []
        if let length, texts.contains(where: { !length.contains($0.utf16.count) }) {
            broken += Self.lengthConstraints(length)
        }
        if let values, texts.contains(where: { !values.contains($0) }) {
            broken.append(Self.enumConstraint(values))
        }
        if !broken.isEmpty {
            note(shown, name, "Member must satisfy constraint: [\(broken.joined(separator: ", "))]")
            isGood = false
        }
        return isGood ? texts : nil
    }

    /// A map from strings to strings within its constraints; nil when absent, or broken. Of equal keys the last one counts.
    public mutating func map(
        _ name: String,
        count: ClosedRange<Int>,
        keyLength: ClosedRange<Int>,
        valueLength: ClosedRange<Int>,
        required: Bool = false
    ) throws(AWSError) -> [String: String]? {
        guard let member = raw(name) else { return missing(name, required) }
        if member.array != nil { throw .serialization(Self.conversion(member, to: "a Map")) }
        guard let members = member.members else { throw .serialization("Expected map or null") }
        var pairs: [String: String] = [:]
        var shown: [String] = []
        for member in members {
            if member.value == .null { continue }
            guard let text = member.value.string else {
                throw .serialization(Self.conversion(member.value, to: "an String"))
            }
            pairs[member.name] = text
            shown.append("\(member.name)=\(text)")
        }
        let text = "{\(shown.joined(separator: ", "))}"
        var isGood = noteCount(pairs.count, count, text, name)
        if pairs.keys.contains(where: { !keyLength.contains($0.utf16.count) }) {
            let constraints = Self.lengthConstraints(keyLength).joined(separator: ", ")
            note(text, name, "Map keys must satisfy constraint: [\(constraints)]")
            isGood = false
        }
        if pairs.values.contains(where: { !valueLength.contains($0.utf16.count) }) {
            let constraints = Self.lengthConstraints(valueLength).joined(separator: ", ")
            note(text, name, "Map value must satisfy constraint: [\(constraints)]")
            isGood = false
        }
        return isGood ? pairs : nil
    }

    private mutating func noteCount(_ found: Int, _ count: ClosedRange<Int>, _ shown: String, _ name: String) -> Bool {
        if found > count.upperBound {
            note(shown, name, "Member must have length less than or equal to \(count.upperBound)")
            return false
        }
        if found < count.lowerBound {
            note(shown, name, "Member must have length greater than or equal to \(count.lowerBound)")
            return false
        }
        return true
    }

    private static func lengthConstraints(_ length: ClosedRange<Int>) -> [String] {
        [
            "Member must have length less than or equal to \(length.upperBound)",
            "Member must have length greater than or equal to \(length.lowerBound)",
        ]
    }
}
