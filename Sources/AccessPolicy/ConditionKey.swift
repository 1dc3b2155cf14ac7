import AWSProtocol

/// A fact about a request that policies may ask for. Names are compared without case.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
enum ConditionKey: Sendable, Equatable {
    case sourceIP, currentTime, epochTime, secureTransport, requestedRegion, userAgent
    case principalARN, principalAccount, principalType, principalIsService, viaService, username, userID
    case resourceAccount, tagKeys
    /// With the tag's name.
    case resourceTag(String)
    case requestTag(String)
    /// One of AWS's that no request to a collector has.
    case absent(String)

    /// The key of that name; nil for one that is not AWS's, or whose meaning is not kept here.
    init?(_ name: String) {
        let lower = name.lowercased()
        if let plain = Self.plain[lower] {
            self = plain
        } else if lower.hasPrefix("aws:resourcetag/"), name.utf8.count > 16 {
            self = .resourceTag(String(name.dropFirst(16)))
        } else if lower.hasPrefix("aws:requesttag/"), name.utf8.count > 15 {
            self = .requestTag(String(name.dropFirst(15)))
        } else if Self.neverSent.contains(where: { $0.lowercased() == lower }) || lower.hasPrefix("aws:principaltag/") {
            self = .absent(name)
        } else {
            return nil
        }
    }

    /// What a request has there; nil where it has nothing.
    func values(_ request: AccessRequest) -> [String]? {
        let principal = request.principal
        return switch self {
        case .sourceIP: request.context.sourceAddress.map { [$0] }
        case .currentTime: [PolicyDate.text(request.context.milliseconds)]
        case .epochTime: [String(request.context.milliseconds / 1000)]
        case .secureTransport: [request.context.isSecure ? "true" : "false"]
        case .requestedRegion: [request.region]
        case .userAgent: request.context.userAgent.map { [$0] }
        case .principalARN: [principal.policyARN]
        case .principalAccount: [principal.account]
        case .principalType: [principal.type]
        case .principalIsService, .viaService: ["false"]
        case .username: principal.userName.map { [$0] }
        case .userID: [principal.userID]
        case .resourceAccount: [request.resourceAccount]
        case .tagKeys: request.requestTags.isEmpty ? nil : request.requestTags.map(\.key)
        case .resourceTag(let tag): Self.value(tag, in: request.resourceTags).map { [$0] }
        case .requestTag(let tag): Self.value(tag, in: request.requestTags).map { [$0] }
        case .absent: nil
        }
    }

    /// The tag's value; of names that differ in case alone the exact one counts.
    private static func value(_ tag: String, in tags: [TagPair]) -> String? {
        if let exact = tags.first(where: { $0.key == tag && $0.value != nil }) { return exact.value }
        let lower = tag.lowercased()
        return tags.first { $0.key.lowercased() == lower && $0.value != nil }?.value
    }

    private static let plain: [String: ConditionKey] = [
        "aws:sourceip": .sourceIP, "aws:currenttime": .currentTime, "aws:epochtime": .epochTime,
        "aws:securetransport": .secureTransport, "aws:requestedregion": .requestedRegion,
        "aws:useragent": .userAgent, "aws:principalarn": .principalARN, "aws:principalaccount": .principalAccount,
        "aws:principaltype": .principalType, "aws:principalisawsservice": .principalIsService,
        "aws:viaawsservice": .viaService, "aws:username": .username, "aws:userid": .userID,
        "aws:resourceaccount": .resourceAccount, "aws:tagkeys": .tagKeys,
    ]

    /// As documents spell the keys that are kept, for suggestions.
    static let known = [
        "aws:SourceIp", "aws:CurrentTime", "aws:EpochTime", "aws:SecureTransport", "aws:RequestedRegion",
        "aws:UserAgent", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalType",
        "aws:PrincipalIsAWSService", "aws:ViaAWSService", "aws:username", "aws:userid", "aws:ResourceAccount",
        "aws:TagKeys", "aws:ResourceTag/KEY", "aws:RequestTag/KEY",
    ]

    /// Keys of networks, organizations and sign-ins that a collector has not.
    private static let neverSent = [
        "aws:AssumedRoot", "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:ChatbotSourceArn",
        "aws:Ec2InstanceSourcePrivateIPv4", "aws:Ec2InstanceSourceVpc", "aws:FederatedProvider",
        "aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
        "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList", "aws:referer", "aws:ResourceOrgID",
        "aws:ResourceOrgPaths", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIdentity", "aws:SourceOrgID",
        "aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce", "aws:TokenIssueTime",
        "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths", "aws:VpcSourceIp",
    ]
}
