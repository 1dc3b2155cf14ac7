import AWSProtocol
import AccessPolicy
import ConfigurationFile

/// Every key that may sign, with whom it speaks for.
public struct AccessKeys: Sendable {
    struct Entry: Sendable {
        var credentials: SigningCredentials
        var principal: Principal
        /// For people; empty for a key of the account itself.
        var policies: [String]
    }

    /// By access key id.
    private(set) var entries: [String: Entry] = [:]

    /// The keys of the credentials file are the account's own, and may do everything, unless the settings name them.
    /// Throws what the settings leave open.
    public init(_ settings: AccessSettings, credentials: CredentialsFile?, account: String)
        throws(ConfigurationProblems)
    {
        for profile in (credentials?.profiles.keys.sorted() ?? []) {
            guard let found = credentials?.credentials(profile) else { continue }
            let root = Principal(account: account, kind: .root, accessKeyID: found.accessKeyID)
            entries[found.accessKeyID] = Entry(credentials: found, principal: root, policies: [])
        }
        var problems: [ConfigurationProblem] = []
        for key in settings.keys {
            let known = entries[key.accessKeyID]?.credentials
            func refuse(_ name: String, _ message: String) {
                var problem = key.place
                problem.keyPath += ".\(name)"
                problem.message = message
                problems.append(problem)
            }
            guard let secret = key.secret ?? known?.secretAccessKey else {
                refuse(
                    "secretAccessKey",
                    "is missing, and the credentials file does not have the key \(key.accessKeyID)"
                )
                continue
            }
            if let known, known.secretAccessKey != secret {
                refuse("secretAccessKey", "differs from the one in the credentials file; keep one of them")
            }
            let principal = Principal(
                account: key.account ?? account,
                kind: key.kind,
                accessKeyID: key.accessKeyID,
                policies: key.policies.map(\.document)
            )
            entries[key.accessKeyID] = Entry(
                credentials: SigningCredentials(
                    accessKeyID: key.accessKeyID,
                    secretAccessKey: secret,
                    sessionToken: key.token ?? known?.sessionToken,
                    expires: key.expires
                ),
                principal: principal,
                policies: key.policies.map { "\($0.name) (\(Self.counted($0.document.statementCount, "statement")))" }
            )
        }
        guard problems.isEmpty else { throw ConfigurationProblems(problems: problems) }
    }

    /// How many keys there are.
    public var count: Int { entries.count }

    /// One line for each key, without its secret.
    public var explanation: [String] {
        entries.values.sorted { $0.credentials.accessKeyID < $1.credentials.accessKeyID }.map { entry in
            var line = "\(entry.credentials.accessKeyID)  \(entry.principal.arn)  "
            if entry.principal.isRoot {
                line += "may do everything"
            } else if entry.policies.isEmpty {
                line += "no policy: may do only what a resource's own policy grants"
            } else {
                line += entry.policies.joined(separator: ", ")
            }
            if entry.credentials.sessionToken != nil { line += "; with a session token" }
            if let end = entry.credentials.expires { line += " until \(PolicyDate.text(end))" }
            return line
        }
    }

    private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
