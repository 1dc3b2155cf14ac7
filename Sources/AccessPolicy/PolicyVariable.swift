/// `${aws:username}` or `${aws:username, 'nobody'}` in a policy.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
struct PolicyVariable: Sendable, Equatable {
    /// What the request has there.
    var key: ConditionKey
    /// What stands in where the request has nothing.
    var fallback: String?

    /// Why a variable can't be used.
    enum Problem: Error, Equatable {
        case unclosed
        case badFallback(String)
        case unknownKey(String)

        var message: String {
            switch self {
            case .unclosed: "a variable has no '}' at its end"
            case .badFallback(let text):
                "the variable '\(text)' is followed by something else than a default in single quotes"
            case .unknownKey(let name): "the variable '\(name)' names no condition key that is known here"
            }
        }

        /// The name that is unknown.
        var unknownName: String? {
            if case .unknownKey(let name) = self { name } else { nil }
        }
    }

    /// What stands between the braces.
    enum Content: Equatable {
        /// `${*}`, `${?}` and `${$}`: the character itself.
        case character(UInt8)
        case variable(PolicyVariable)
    }

    static func read(_ bytes: ArraySlice<UInt8>) throws(Problem) -> Content {
        if bytes.count == 1, let byte = bytes.first, "*?$".utf8.contains(byte) { return .character(byte) }
        let text = String(decoding: bytes, as: UTF8.self)
        let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        let name = Self.trimmed(parts[0])
        var fallback: String?
        if parts.count > 1 {
            let quoted = Self.trimmed(parts[1])
            guard quoted.count >= 2, quoted.hasPrefix("'"), quoted.hasSuffix("'") else { throw .badFallback(text) }
            fallback = String(quoted.dropFirst().dropLast())
        }
        guard let key = ConditionKey(name) else { throw .unknownKey(name) }
        return .variable(PolicyVariable(key: key, fallback: fallback))
    }

    /// A key with several values names none of them.
    func value(_ request: AccessRequest) -> String? {
        guard let values = key.values(request), values.count == 1 else { return fallback }
        return values[0]
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
