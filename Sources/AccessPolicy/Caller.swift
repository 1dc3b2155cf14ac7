import AWSProtocol

/// Who asks, where from and for which region: what all checks of one API request share.
public struct Caller: Sendable {
    /// Who.
    public var principal: Principal
    /// Where from.
    public var context: CallContext
    /// The credential scope's.
    public var region: String

    /// A caller.
    public init(principal: Principal, context: CallContext, region: String) {
        self.principal = principal
        self.context = context
        self.region = region
    }

    /// Whether a request to a resource of this account, without a policy of its own, is allowed whatever it asks.
    public func isUnrestricted(in account: String) -> Bool {
        principal.isUnrestricted && principal.account == account
    }

    /// Throws AWS's `AccessDeniedException` where policies do not allow the action. Costs two comparisons for the account itself.
    ///
    /// - Parameters:
    ///   - action: such as `kinesis:PutRecord`.
    ///   - resource: the resource's ARN, `*` for an action that has none.
    ///   - account: the resource's owner.
    ///   - policy: the resource's own, where it has one.
    ///   - tags: the resource's.
    ///   - requestTags: tags, or names of tags, that the request holds.
    public func require(
        _ action: @autoclosure () -> String,
        on resource: @autoclosure () -> String,
        account: String,
        policy: PolicyDocument? = nil,
        tags: @autoclosure () -> [TagPair] = [],
        requestTags: @autoclosure () -> [TagPair] = []
    ) throws(AWSError) {
        if policy == nil, isUnrestricted(in: account) { return }
        var request = AccessRequest(
            principal: principal,
            context: context,
            action: action(),
            resource: resource(),
            region: region,
            resourceAccount: account
        )
        request.resourceTags = tags()
        request.requestTags = requestTags()
        if let refusal = request.refusal(resourcePolicy: policy) { throw refusal.error }
    }
}
