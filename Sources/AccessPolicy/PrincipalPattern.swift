/// Whom a statement of a resource policy speaks of.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
enum PrincipalPattern: Sendable, Equatable {
    /// `"*"` or `{"AWS": "*"}`
    case everyone
    /// `"123456789012"` or `arn:aws:iam::123456789012:root`: the account, which may pass on what it is given.
    case account(String)
    /// A user, a role or a role's session.
    case identity(String)
    /// A service, a federation or another of AWS's kinds: none of them calls a collector.
    case elsewhere

    /// One value of `{"AWS": …}`; nil when it names no principal. A `*` inside of an ARN is none.
    init?(aws text: String) {
        if text == "*" {
            self = .everyone
            return
        }
        if Self.isAccount(text) {
            self = .account(text)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[3].isEmpty,
            Self.isAccount(parts[4]), !text.utf8.contains(UInt8(ascii: "*")), !text.utf8.contains(UInt8(ascii: "?"))
        else { return nil }
        let resource = parts[5].split(separator: "/", omittingEmptySubsequences: false)
        let isNamed = resource.count > 1 && resource.allSatisfy { !$0.isEmpty }
        switch (parts[2], resource.first) {
        case ("iam", "root") where resource.count == 1: self = .account(parts[4])
        case ("iam", "user") where isNamed, ("iam", "role") where isNamed: self = .identity(text)
        case ("sts", "assumed-role") where isNamed && resource.count == 3: self = .identity(text)
        case ("sts", "federated-user") where isNamed: self = .elsewhere
        default: return nil
        }
    }

    /// How closely a statement names a caller.
    enum Fit: Comparable {
        case none
        /// By its account alone: the account's own policies have to allow too.
        case account
        case direct
    }

    func fits(_ principal: Principal) -> Fit {
        switch self {
        case .everyone: .direct
        case .account(let account):
            account != principal.account ? .none : principal.isRoot ? .direct : .account
        case .identity(let arn): arn == principal.arn || arn == principal.policyARN ? .direct : .none
        case .elsewhere: .none
        }
    }

    private static func isAccount(_ text: String) -> Bool {
        text.utf8.count == 12 && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }
}
