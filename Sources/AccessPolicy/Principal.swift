/// Who calls: the owner of an access key, with the policies that say what the key may do.
///
/// A class, so that a request carries one reference.
public final class Principal: Sendable {
    /// What kind of identity this is.
    public enum Kind: Sendable, Equatable {
        /// The account itself: needs no policy.
        case root
        /// A user, by name or by path and name: `alice`, `team/alice`.
        case user(String)
        /// A role that was taken on, and the session's name.
        case session(role: String, name: String)
    }

    /// Twelve digits.
    public let account: String
    /// What kind of identity this is.
    public let kind: Kind
    /// The key that signed; empty where nobody asked for a signature.
    public let accessKeyID: String
    /// As messages name the caller: `arn:aws:iam::ACCOUNT:user/NAME`, `…:root`, `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    public let arn: String
    /// As `aws:PrincipalArn` has it: the role's ARN for a session, else `arn`.
    public let policyARN: String
    /// As `aws:userid` has it.
    public let userID: String
    /// What the caller may do, beside what resources grant.
    let policies: [PolicyDocument]

    /// - Parameters:
    ///   - account: twelve digits.
    ///   - policies: identity policies. `root` needs none, and a Deny in them binds even it.
    public init(account: String, kind: Kind, accessKeyID: String = "", policies: [PolicyDocument] = []) {
        self.account = account
        self.kind = kind
        self.accessKeyID = accessKeyID
        self.policies = policies
        switch kind {
        case .root:
            arn = "arn:aws:iam::\(account):root"
            policyARN = arn
            userID = account
        case .user(let name):
            arn = "arn:aws:iam::\(account):user/\(name)"
            policyARN = arn
            userID = "AIDA" + Self.uniqueID(arn)
        case .session(let role, let name):
            let last = role.split(separator: "/").last.map(String.init) ?? role
            arn = "arn:aws:sts::\(account):assumed-role/\(last)/\(name)"
            policyARN = "arn:aws:iam::\(account):role/\(role)"
            userID = "AROA\(Self.uniqueID(policyARN)):\(name)"
        }
    }

    /// Whether the caller is the account itself.
    public var isRoot: Bool { kind == .root }

    /// As `aws:username` has it: users alone have one, without their path.
    public var userName: String? {
        if case .user(let name) = kind { name.split(separator: "/").last.map(String.init) } else { nil }
    }

    /// As `aws:PrincipalType` has it.
    public var type: String {
        switch kind {
        case .root: "Account"
        case .user: "User"
        case .session: "AssumedRole"
        }
    }

    /// Nothing has to be looked up for this caller's requests to resources of its own account.
    var isUnrestricted: Bool { isRoot && policies.isEmpty }

    /// Where AWS draws a random id, the same letters for the same name: 17 of base 32, by FNV-1a.
    private static func uniqueID(_ name: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        var text = ""
        for _ in 0..<17 {
            text.append(letters[Int(hash >> 59)])
            hash = hash &* 0x5851_F42D_4C95_7F2D &+ 0x1405_7B7E_F767_814F
        }
        return text
    }
}
