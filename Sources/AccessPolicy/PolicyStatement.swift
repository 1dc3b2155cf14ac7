/// One statement: whom it speaks of, which actions on which resources, under which conditions, and whether it allows.
struct PolicyStatement: Sendable, Equatable {
    enum Effect: String, Sendable {
        case allow = "Allow"
        case deny = "Deny"
    }

    /// A list of what an element names, or of what it leaves out (`NotAction`).
    struct Choice<Element: Sendable & Equatable>: Sendable, Equatable {
        var elements: [Element]
        var isInverted: Bool
    }

    var sid: String?
    var effect: Effect
    /// Nil in identity policies: they speak of whoever has them.
    var principals: Choice<PrincipalPattern>?
    /// In lower case.
    var actions: Choice<Wildcards>
    var resources: Choice<ARNPattern>
    /// All of them must hold.
    var conditions: [Condition]

    /// How closely the statement names the caller; `none` when it does not apply.
    func applies(to request: AccessRequest, _ subject: PolicySubject) -> PrincipalPattern.Fit {
        guard actions.isInverted != actions.elements.contains(where: { $0.matches(subject.action, request) }),
            resources.isInverted != resources.elements.contains(where: { $0.matches(subject.resource, request) })
        else { return .none }
        let fit = fit(request.principal)
        return fit != .none && conditions.allSatisfy { $0.holds(request) } ? fit : .none
    }

    private func fit(_ principal: Principal) -> PrincipalPattern.Fit {
        guard let principals else { return .direct }
        guard principals.isInverted else {
            return principals.elements.lazy.map { $0.fits(principal) }.max() ?? .none
        }
        // Whoever is left out must be named itself: its account stands there beside it, and would let everybody off.
        return principals.elements.contains { $0.fits(principal) == .direct } ? .none : .direct
    }
}
