/// One key of a condition block with the values it is held against, ready to be judged.
struct Condition: Sendable, Equatable {
    /// The policy's values; one that fits is enough.
    enum Operands: Sendable, Equatable {
        case texts([Wildcards], ignoringCase: Bool)
        case arns([ARNPattern])
        case numbers([Double])
        /// In milliseconds since 1970.
        case dates([Int64])
        case truths([Bool])
        case addresses([AddressRange])
    }

    var comparison: ConditionOperator
    var key: ConditionKey
    var operands: Operands

    func holds(_ request: AccessRequest) -> Bool {
        let values = key.values(request)
        if comparison.comparison == .null {
            guard case .truths(let wanted) = operands else { return false }
            return wanted.contains(values == nil)
        }
        guard let values, !values.isEmpty else {
            if comparison.holdsWhenAbsent { return true }
            switch comparison.quantifier {
            case .single: return comparison.isNegated
            case .forAnyValue: return false
            case .forAllValues: return true
            }
        }
        let isNegated = comparison.isNegated
        return switch comparison.quantifier {
        // Of a negated operator: no value of the request may match any of the policy's.
        case .single: isNegated != values.contains { matches($0, request) }
        case .forAnyValue: values.contains { isNegated != matches($0, request) }
        case .forAllValues: values.allSatisfy { isNegated != matches($0, request) }
        }
    }

    /// Whether one value of the request fits one of the policy's. A value of another kind fits none.
    private func matches(_ value: String, _ request: AccessRequest) -> Bool {
        switch operands {
        case .texts(let patterns, let ignoringCase):
            let text = Array((ignoringCase ? value.lowercased() : value).utf8)[...]
            return patterns.contains { $0.matches(text, request) }
        case .arns(let patterns):
            let arn = ARNText(value)
            return patterns.contains { $0.matches(arn, request) }
        case .numbers(let numbers):
            guard let number = Double(value) else { return false }
            return numbers.contains { compares(number, $0) }
        case .dates(let dates):
            guard let date = PolicyDate.milliseconds(value) else { return false }
            return dates.contains { compares(date, $0) }
        case .truths(let truths):
            return truths.contains { ($0 ? "true" : "false") == value.lowercased() }
        case .addresses(let ranges):
            guard let address = AddressRange.address(value) else { return false }
            return ranges.contains { $0.contains(address) }
        }
    }

    private func compares<Value: Comparable>(_ value: Value, _ operand: Value) -> Bool {
        switch comparison.comparison {
        case .numericLessThan, .dateLessThan: value < operand
        case .numericLessThanEquals, .dateLessThanEquals: value <= operand
        case .numericGreaterThan, .dateGreaterThan: value > operand
        case .numericGreaterThanEquals, .dateGreaterThanEquals: value >= operand
        default: value == operand
        }
    }
}
