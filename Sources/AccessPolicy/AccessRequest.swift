/// Where a call comes from: what the edge knows of it.
public struct CallContext: Sendable, Equatable {
    /// The peer's address, as text; nil where there is none.
    public var sourceAddress: String?
    /// Whether it came over TLS.
    public var isSecure: Bool
    /// The header, where it was sent.
    public var userAgent: String?
    /// When it came, in milliseconds since 1970.
    public var milliseconds: Int64

    /// A call.
    public init(sourceAddress: String?, isSecure: Bool, userAgent: String?, milliseconds: Int64) {
        self.sourceAddress = sourceAddress
        self.isSecure = isSecure
        self.userAgent = userAgent
        self.milliseconds = milliseconds
    }
}

/// A tag of a resource or a request.
public struct TagPair: Sendable, Equatable {
    /// 1 to 128 characters.
    public var key: String
    /// Up to 256 characters; nil where a request names the key alone.
    public var value: String?

    /// A tag.
    public init(_ key: String, _ value: String? = nil) {
        self.key = key
        self.value = value
    }
}

/// What somebody wants to do, with everything policies may ask about it.
public struct AccessRequest: Sendable {
    /// Who.
    public var principal: Principal
    /// Where from.
    public var context: CallContext
    /// Such as `kinesis:PutRecord`.
    public var action: String
    /// The resource's ARN, `*` for an action that has none.
    public var resource: String
    /// Such as `us-east-1`.
    public var region: String
    /// The account that owns the resource.
    public var resourceAccount: String
    /// The resource's tags.
    public var resourceTags: [TagPair] = []
    /// Tags, or names of tags, that the request itself holds.
    public var requestTags: [TagPair] = []

    /// A request.
    public init(
        principal: Principal,
        context: CallContext,
        action: String,
        resource: String,
        region: String,
        resourceAccount: String
    ) {
        self.principal = principal
        self.context = context
        self.action = action
        self.resource = resource
        self.region = region
        self.resourceAccount = resourceAccount
    }
}
