/// A policy as AWS writes it, checked and ready to be judged by.
///
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
public struct PolicyDocument: Sendable, Equatable {
    /// What a policy is attached to.
    public enum Kind: Sendable, Equatable {
        /// Somebody: names no principal.
        case identity
        /// Something: names principals.
        case resource
    }

    /// `2012-10-17` or `2008-10-17`; the older one knows no variables.
    public var version: String
    /// The document's own name, where it has one.
    public var id: String?
    /// At least one.
    var statements: [PolicyStatement]

    /// How many statements there are.
    public var statementCount: Int { statements.count }

    /// What the policy says to a request. The order of statements does not count.
    func judge(_ request: AccessRequest, _ subject: PolicySubject) -> Judgement {
        var judgement = Judgement()
        for statement in statements {
            // What is known already can't be changed by this statement.
            if statement.effect == .allow, judgement.allow == .direct { continue }
            let fit = statement.applies(to: request, subject)
            if fit == .none { continue }
            if statement.effect == .deny {
                judgement.isDenied = true
                return judgement
            }
            judgement.allow = max(judgement.allow, fit)
        }
        return judgement
    }
}

/// What policies say to one request.
struct Judgement: Equatable {
    var isDenied = false
    /// How closely an Allow named the caller.
    var allow = PrincipalPattern.Fit.none
}

/// A request's action and resource as patterns are held against them.
struct PolicySubject {
    /// In lower case: actions are compared without it.
    let action: ArraySlice<UInt8>
    let resource: ARNText

    init(_ request: AccessRequest) {
        action = request.action.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }[...]
        resource = ARNText(request.resource)
    }
}
