import AWSProtocol

/// Reads one object of a configuration file key by key. What is wrong is collected, not thrown, so that all of it can be
/// told at once; a wrong value reads as its default.
public struct KeyReader {
    /// Where this object's findings go.
    public let findings: ConfigurationFindings
    /// The object's own place: empty, or such as `flows[0]`.
    public let keyPath: String
    /// Where the object stands.
    public let offset: Int
    private let members: [JSONValue.Member]
    private var known: Set<String> = []

    /// `offset` is used where the object is empty.
    public init(_ members: [JSONValue.Member], at keyPath: String, offset: Int, _ findings: ConfigurationFindings) {
        self.members = members
        self.keyPath = keyPath
        self.offset = members.first?.offset ?? offset
        self.findings = findings
        var lines: [String: Int] = [:]
        for member in members {
            let line = findings.text.line(of: member.offset)
            if let first = lines[member.name] {
                findings.problem(
                    at: member.offset,
                    path(member.name),
                    "is given twice, on the lines \(first) and \(line); keep one of them"
                )
            }
            lines[member.name] = line
        }
    }

    /// The key's place in the document.
    public func path(_ key: String) -> String { keyPath.isEmpty ? key : "\(keyPath).\(key)" }

    /// The key's member; nil where it is missing or null.
    public mutating func member(_ key: String) -> JSONValue.Member? {
        known.insert(key)
        return members.last { $0.name == key && $0.value != .null }
    }

    /// Notes a mistake in this object.
    public func problem(_ key: String, _ message: String) {
        findings.problem(at: members.last { $0.name == key }?.offset ?? offset, path(key), message)
    }

    /// Notes a mistake of the object as a whole.
    public func problem(_ message: String) { findings.problem(at: offset, keyPath, message) }

    // MARK: - Values

    /// Text that is not empty.
    public mutating func text(_ key: String) -> String? {
        guard let value = member(key)?.value else { return nil }
        guard case .string(let text) = value else {
            problem(key, "found \(value.kind), expected text; put it in quotes")
            return nil
        }
        guard !text.isEmpty else {
            problem(key, "found an empty text; give a value, or leave the key out")
            return nil
        }
        guard !text.utf8.contains(0) else {
            problem(key, "found a text with a NUL character; remove it")
            return nil
        }
        return text
    }

    /// A whole number, also as text.
    public mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = member(key)?.value else { return nil }
        let number: Int64?
        switch value {
        case .string(let text): number = Int64(text)
        default: number = value.integer
        }
        guard let number else {
            problem(key, "found \(Self.shown(value)), expected a whole number \(Self.words(range))")
            return nil
        }
        guard range.contains(Int(number)) else {
            problem(key, "found \(number), expected a number \(Self.words(range)); correct it, or leave the key out")
            return nil
        }
        return Int(number)
    }

    /// A boolean, also as text: true, yes, t, y, 1 and their opposites.
    public mutating func truth(_ key: String) -> Bool? {
        guard let value = member(key)?.value else { return nil }
        let word =
            switch value {
            case .bool(let truth): truth ? "true" : "false"
            case .string(let text), .number(let text): text.lowercased()
            default: ""
            }
        switch word {
        case "true", "yes", "t", "y", "1": return true
        case "false", "no", "f", "n", "0": return false
        default:
            problem(key, "found \(Self.shown(value)), expected true or false")
            return nil
        }
    }

    /// One of several words; case does not count.
    public mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String,
        _ type: Choice.Type
    ) -> Choice? where Choice.RawValue == String {
        guard let text = text(key) else { return nil }
        if let choice = Choice.allCases.first(where: { $0.rawValue.lowercased() == text.lowercased() }) {
            return choice
        }
        let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        let nearest = Suggestion.nearest(to: text, in: Choice.allCases.map(\.rawValue))
        problem(key, "found \"\(text)\", expected one of \(all)" + (nearest.map { "; did you mean \($0)?" } ?? ""))
        return nil
    }

    /// A list of texts.
    public mutating func texts(_ key: String) -> [String]? {
        guard let value = member(key)?.value else { return nil }
        guard let elements = value.array, case let texts = elements.compactMap(\.string), texts.count == elements.count
        else {
            problem(key, "found \(Self.shown(value)), expected a list of texts, such as [\"a\", \"b\"]")
            return nil
        }
        return texts
    }

    // MARK: - Keys that are not read

    /// Keys that are accepted because Amazon's agent has them, and why they change nothing here.
    public mutating func ignore(_ keys: [String], because reason: String) {
        for key in keys {
            guard let member = member(key) else { continue }
            findings.notice(at: member.offset, path(key), "has no effect: \(reason)")
        }
    }

    /// Keys whose meaning would be lost if they were passed over.
    public mutating func refuse(_ keys: [String], because reason: String) {
        for key in keys {
            guard let member = member(key) else { continue }
            findings.problem(at: member.offset, path(key), reason)
        }
    }

    /// Reports every member that nobody asked for. The last call.
    public func finish() {
        for member in members where !known.contains(member.name) {
            let nearest = Suggestion.nearest(to: member.name, in: known)
            findings.problem(
                at: member.offset,
                path(member.name),
                nearest.map { "is no key that is known here; did you mean \($0)?" }
                    ?? "is no key that is known here; remove it"
            )
        }
    }

    private static func words(_ range: ClosedRange<Int>) -> String {
        range.upperBound == .max ? "from \(range.lowerBound) on" : "from \(range.lowerBound) to \(range.upperBound)"
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): "\"\(text.prefix(60))\""
        case .number(let text): text
        case .bool(let truth): truth ? "true" : "false"
        default: value.kind
        }
    }
}
