import AWSProtocol

/// Why a request is not allowed.
public struct AccessRefusal: Sendable, Equatable {
    /// Which policy refuses, or is missing.
    public enum Reason: Sendable, Equatable {
        case identityDeny, resourceDeny, noIdentityAllow, noResourceAllow
    }

    /// Which policy refuses, or is missing.
    public var reason: Reason
    /// AWS's sentence.
    public var message: String

    /// AWS's answer.
    public var error: AWSError { AWSError("AccessDeniedException", message) }
}

extension AccessRequest {
    /// Why the request is refused; nil when it is allowed.
    ///
    /// What AWS does, without the layers that a collector has not (organizations, boundaries, sessions' own policies):
    ///
    ///     a Deny of either policy that applies ─> refused
    ///     caller and resource of one account   ─> allowed by either policy, or as the account itself;
    ///                                             a resource policy that names the account alone only passes the question on
    ///     of two accounts                      ─> both sides have to allow
    ///
    /// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    ///
    /// - Parameter resourcePolicy: the policy on the resource, where it has one.
    public func refusal(resourcePolicy: PolicyDocument?) -> AccessRefusal? {
        let isOwn = principal.account == resourceAccount
        if isOwn, principal.isUnrestricted, resourcePolicy == nil || mendsResourcePolicy { return nil }

        let subject = PolicySubject(self)
        var identity = Judgement()
        for policy in principal.policies {
            let judgement = policy.judge(self, subject)
            if judgement.isDenied { return refused(.identityDeny) }
            identity.allow = max(identity.allow, judgement.allow)
        }
        let allowsItself = principal.isRoot || identity.allow == .direct

        var resource = Judgement()
        if let resourcePolicy, !(isOwn && principal.isRoot && mendsResourcePolicy) {
            resource = resourcePolicy.judge(self, subject)
            if resource.isDenied { return refused(.resourceDeny) }
        }
        if isOwn { return allowsItself || resource.allow == .direct ? nil : refused(.noIdentityAllow) }
        guard allowsItself else { return refused(.noIdentityAllow) }
        return resource.allow == .none ? refused(.noResourceAllow) : nil
    }

    /// A resource policy that shuts everybody out could never be taken back: its owner's account always may.
    private var mendsResourcePolicy: Bool {
        ["kinesis:PutResourcePolicy", "kinesis:GetResourcePolicy", "kinesis:DeleteResourcePolicy"].contains(action)
    }

    /// AWS's words.
    /// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    private func refused(_ reason: AccessRefusal.Reason) -> AccessRefusal {
        let why =
            switch reason {
            case .identityDeny: "with an explicit deny in an identity-based policy"
            case .resourceDeny: "with an explicit deny in a resource-based policy"
            case .noIdentityAllow: "because no identity-based policy allows the \(action) action"
            case .noResourceAllow: "because no resource-based policy allows the \(action) action"
            }
        return AccessRefusal(
            reason: reason,
            message: "User: \(principal.arn) is not authorized to perform: \(action) on resource: \(resource) \(why)"
        )
    }
}
