/// How a condition compares: `StringLike`, `ForAnyValue:StringEquals`, `NumericLessThanIfExists`.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
struct ConditionOperator: Sendable, Equatable {
    enum Comparison: String, Sendable, CaseIterable {
        case stringEquals = "StringEquals"
        case stringEqualsIgnoreCase = "StringEqualsIgnoreCase"
        case stringLike = "StringLike"
        case arnEquals = "ArnEquals"
        case arnLike = "ArnLike"
        case numericEquals = "NumericEquals"
        case numericLessThan = "NumericLessThan"
        case numericLessThanEquals = "NumericLessThanEquals"
        case numericGreaterThan = "NumericGreaterThan"
        case numericGreaterThanEquals = "NumericGreaterThanEquals"
        case dateEquals = "DateEquals"
        case dateLessThan = "DateLessThan"
        case dateLessThanEquals = "DateLessThanEquals"
        case dateGreaterThan = "DateGreaterThan"
        case dateGreaterThanEquals = "DateGreaterThanEquals"
        case bool = "Bool"
        case ipAddress = "IpAddress"
        case null = "Null"
    }

    /// How several values of a key count.
    enum Quantifier: Sendable {
        /// The key has one value.
        case single
        case forAnyValue, forAllValues
    }

    var comparison: Comparison
    /// `StringNotEquals` and its like: true where no value of the policy matches.
    var isNegated: Bool
    var quantifier: Quantifier
    /// True where the request lacks the key.
    var holdsWhenAbsent: Bool

    private static let negations: [String: Comparison] = [
        "StringNotEquals": .stringEquals, "StringNotEqualsIgnoreCase": .stringEqualsIgnoreCase,
        "StringNotLike": .stringLike, "ArnNotEquals": .arnEquals, "ArnNotLike": .arnLike,
        "NumericNotEquals": .numericEquals, "DateNotEquals": .dateEquals, "NotIpAddress": .ipAddress,
    ]

    /// The operator of that name; nil when there is none.
    init?(_ name: String) {
        var rest = name[...]
        quantifier = .single
        for (prefix, meaning) in [("ForAnyValue:", Quantifier.forAnyValue), ("ForAllValues:", .forAllValues)]
        where rest.hasPrefix(prefix) {
            rest = rest.dropFirst(prefix.count)
            quantifier = meaning
        }
        holdsWhenAbsent = rest.hasSuffix("IfExists")
        if holdsWhenAbsent { rest = rest.dropLast("IfExists".count) }
        if let comparison = Comparison(rawValue: String(rest)) {
            self.comparison = comparison
            isNegated = false
        } else if let comparison = Self.negations[String(rest)] {
            self.comparison = comparison
            isNegated = true
        } else {
            return nil
        }
        // It asks whether the key exists already.
        if comparison == .null, holdsWhenAbsent || quantifier != .single { return nil }
    }

    /// For suggestions.
    static let names = Comparison.allCases.map(\.rawValue) + negations.keys.sorted()
}
