import AWSProtocol

extension PolicyReader {
    /// Whom a statement speaks of: needed in a resource's policy, without a place in an identity's.
    mutating func principals(
        _ members: [JSONValue.Member],
        _ path: String,
        _ effect: PolicyStatement.Effect?
    ) -> PolicyStatement.Choice<PrincipalPattern>? {
        let found = members.filter { $0.name == "Principal" || $0.name == "NotPrincipal" }
        guard let member = found.last else {
            if kind == .resource { problem(path, "has neither Principal nor NotPrincipal") }
            return nil
        }
        stand(at: member)
        let place = "\(path).\(member.name)"
        if kind == .identity {
            problem(place, "has no place in a policy of a key: it speaks of whoever has the key")
            return nil
        }
        if Set(found.map(\.name)).count > 1 { problem(path, "has both Principal and NotPrincipal; keep one") }
        let isInverted = member.name == "NotPrincipal"
        if isInverted, effect == .allow {
            problem(place, "goes with Deny alone: with Allow it would let in everybody that is not named")
        }
        return PolicyStatement.Choice(elements: patterns(member.value, place), isInverted: isInverted)
    }

    private mutating func patterns(_ value: JSONValue, _ path: String) -> [PrincipalPattern] {
        if value.string == "*" { return [.everyone] }
        guard let members = value.members, !members.isEmpty else {
            problem(path, "found \(Self.shown(value)), expected \"*\" or an object such as {\"AWS\": \"123456789012\"}")
            return []
        }
        var patterns: [PrincipalPattern] = []
        for member in members {
            stand(at: member)
            let place = "\(path).\(member.name)"
            switch member.name {
            case "AWS":
                for text in texts(member.value, place) ?? [] {
                    if let pattern = PrincipalPattern(aws: text) {
                        patterns.append(pattern)
                    } else {
                        problem(
                            place,
                            "found \"\(text)\", expected \"*\", an account of 12 digits, or the whole ARN of a user or role"
                        )
                    }
                }
            case "Service", "Federated", "CanonicalUser":
                if texts(member.value, place) != nil {
                    patterns.append(.elsewhere)
                    notice(place, "fits nobody: no caller of a collector is one")
                }
            default:
                unknown(
                    place,
                    "is no kind of principal",
                    member,
                    ["AWS", "Service", "Federated", "CanonicalUser"]
                )
            }
        }
        return patterns
    }
}
