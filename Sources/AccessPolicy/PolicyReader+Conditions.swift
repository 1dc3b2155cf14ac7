import AWSProtocol

extension PolicyReader {
    /// `{"StringEquals": {"aws:username": ["a", "b"]}}`
    mutating func conditions(_ value: JSONValue, _ path: String) -> [Condition] {
        guard let members = value.members else {
            problem(path, "found \(value.kind), expected an object of operators")
            return []
        }
        var conditions: [Condition] = []
        for member in members {
            stand(at: member)
            let place = "\(path).\(member.name)"
            guard let comparison = ConditionOperator(member.name) else {
                unknown(place, "is no operator of conditions", member, ConditionOperator.names)
                continue
            }
            guard let keys = member.value.members, !keys.isEmpty else {
                problem(place, "found \(member.value.kind), expected an object of condition keys")
                continue
            }
            for key in keys {
                if let condition = condition(comparison, key, "\(place).\(key.name)") { conditions.append(condition) }
            }
        }
        return conditions
    }

    private mutating func condition(
        _ comparison: ConditionOperator,
        _ member: JSONValue.Member,
        _ path: String
    ) -> Condition? {
        stand(at: member)
        guard let key = ConditionKey(member.name) else {
            unknown(path, "is no condition key that is known here", member, ConditionKey.known)
            return nil
        }
        if case .absent = key { notice(path, "is a key that no request to a collector has") }
        guard let texts = values(member.value, path) else { return nil }
        let operands = operands(comparison.comparison, texts, path)
        return operands.map { Condition(comparison: comparison, key: key, operands: $0) }
    }

    /// Texts, numbers or booleans, one or a list, as text.
    private mutating func values(_ value: JSONValue, _ path: String) -> [String]? {
        let list = value.array ?? [value]
        var texts: [String] = []
        for item in list {
            switch item {
            case .string(let text), .number(let text): texts.append(text)
            case .bool(let truth): texts.append(truth ? "true" : "false")
            default: problem(path, "found \(item.kind), expected a text, a number, true or false")
            }
        }
        if list.isEmpty { problem(path, "found an empty list, expected a value") }
        return texts.count == list.count && !texts.isEmpty ? texts : nil
    }

    private mutating func operands(
        _ comparison: ConditionOperator.Comparison,
        _ texts: [String],
        _ path: String
    ) -> Condition.Operands? {
        switch comparison {
        case .stringEquals, .stringEqualsIgnoreCase, .stringLike:
            var meanings: Wildcards.Meanings = hasVariables ? .variables : []
            if comparison == .stringLike { meanings.insert(.wildcards) }
            if comparison == .stringEqualsIgnoreCase { meanings.insert(.anyCase) }
            var patterns: [Wildcards] = []
            for text in texts {
                do throws(PolicyVariable.Problem) {
                    patterns.append(try Wildcards(text, meanings))
                } catch {
                    problem(path, "found \"\(text)\": \(error.message)")
                }
            }
            return .texts(patterns, ignoringCase: comparison == .stringEqualsIgnoreCase)
        case .arnEquals, .arnLike:
            var patterns: [ARNPattern] = []
            for text in texts {
                do throws(ARNPattern.Problem) {
                    patterns.append(try ARNPattern(text, hasVariables ? [.wildcards, .variables] : .wildcards))
                } catch {
                    problem(path, "found \"\(text)\": \(error.message)")
                }
            }
            return .arns(patterns)
        case .numericEquals, .numericLessThan, .numericLessThanEquals, .numericGreaterThan, .numericGreaterThanEquals:
            return all(texts, path, "a number") { Double($0) }.map { .numbers($0) }
        case .dateEquals, .dateLessThan, .dateLessThanEquals, .dateGreaterThan, .dateGreaterThanEquals:
            let expected = "a date such as \"2026-11-21T06:09:10Z\", or seconds since 1970"
            return all(texts, path, expected) { PolicyDate.milliseconds($0) }.map { .dates($0) }
        case .bool, .null:
            let truths = all(texts, path, "true or false") { ["true": true, "false": false][$0.lowercased()] }
            return truths.map { .truths($0) }
        case .ipAddress:
            let expected = "an address or a range, such as \"203.0.113.0/24\" or \"2001:db8::/32\""
            return all(texts, path, expected) { AddressRange($0) }.map { .addresses($0) }
        }
    }

    private mutating func all<Value>(
        _ texts: [String],
        _ path: String,
        _ expected: String,
        _ parse: (String) -> Value?
    ) -> [Value]? {
        var values: [Value] = []
        for text in texts {
            if let value = parse(text) {
                values.append(value)
            } else {
                problem(path, "found \"\(text)\", expected \(expected)")
            }
        }
        return values.count == texts.count ? values : nil
    }
}
