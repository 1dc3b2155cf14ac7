import AWSProtocol
import AccessPolicy
import ConfigurationFile

/// What `accessKeys` and `policies` of collector.json say:
///
///     "policies": { "readers": { "Version": "2012-10-17", "Statement": […] } },
///     "accessKeys": [ { "accessKeyId": "AKIAREADER", "secretAccessKeyFile": "reader.secret", "userName": "reader",
///                       "policies": ["readers", { "Version": … }] } ]
public struct AccessSettings: Sendable {
    /// One entry of `accessKeys`.
    struct Key: Sendable {
        /// Where it stands, for what is found wrong later.
        var place: ConfigurationProblem
        var accessKeyID: String
        /// Nil where the credentials file has it.
        var secret: String?
        var token: String?
        /// Milliseconds since 1970.
        var expires: Int64?
        var kind: Principal.Kind
        /// Nil means the collector's own.
        var account: String?
        var policies: [(name: String, document: PolicyDocument)]
    }

    var keys: [Key] = []
    var policies: [(name: String, document: PolicyDocument)] = []
    /// Files that hold secrets: read, or meant to be.
    var secretFiles: [String] = []
    /// Whether secrets stand in the file itself.
    var holdsSecrets = false

    /// No key but those of the credentials file.
    public init() {}

    /// Reads both keys from the file's outermost object; what is wrong goes to its findings.
    ///
    /// - Parameter folder: where relative paths start.
    public init(reading reader: inout KeyReader, folder: String) {
        readPolicies(&reader)
        guard let member = reader.member("accessKeys") else { return }
        guard let list = member.value.array else {
            reader.problem("accessKeys", "found \(member.value.kind), expected a list of keys")
            return
        }
        for (index, item) in list.enumerated() {
            let path = "accessKeys[\(index)]"
            guard let members = item.members else {
                reader.findings.problem(at: member.offset, path, "found \(item.kind), expected an object in braces")
                continue
            }
            var entry = KeyReader(members, at: path, offset: member.offset, reader.findings)
            if let key = key(&entry, folder) {
                if keys.contains(where: { $0.accessKeyID == key.accessKeyID }) {
                    entry.problem("accessKeyId", "\(key.accessKeyID) has two entries; keep one of them")
                }
                keys.append(key)
            }
            entry.finish()
        }
    }

    private mutating func readPolicies(_ reader: inout KeyReader) {
        guard let member = reader.member("policies") else { return }
        guard let documents = member.value.members else {
            reader.problem("policies", "found \(member.value.kind), expected an object of policy documents")
            return
        }
        for document in documents {
            let path = "policies.\(document.name)"
            if policies.contains(where: { $0.name == document.name }) {
                reader.findings.problem(at: document.offset, path, "is given twice; keep one of them")
            }
            if let read = Self.policy(document.value, at: document.offset, path, reader.findings) {
                policies.append((document.name, read))
            }
        }
    }

    /// A document, its problems and notices told with their place and a suggestion.
    private static func policy(
        _ value: JSONValue,
        at offset: Int,
        _ path: String,
        _ findings: ConfigurationFindings
    ) -> PolicyDocument? {
        var reader = PolicyReader(.identity)
        let document = reader.read(value, offset: offset)
        func words(_ problem: PolicyProblem) -> (path: String, message: String) {
            let nearest = problem.unknown.flatMap { Suggestion.nearest(to: $0, in: problem.candidates) }
            return (
                problem.path.isEmpty ? path : "\(path).\(problem.path)",
                problem.message + (nearest.map { "; did you mean \($0)?" } ?? "")
            )
        }
        for problem in reader.problems {
            findings.problem(at: problem.offset ?? offset, words(problem).path, words(problem).message)
        }
        for notice in reader.notices {
            findings.notice(at: notice.offset ?? offset, words(notice).path, words(notice).message)
        }
        return document
    }

    // MARK: - One key

    private mutating func key(_ entry: inout KeyReader, _ folder: String) -> Key? {
        let id = entry.text("accessKeyId")
        if let id, !AccessNames.isKeyID(id) {
            entry.problem("accessKeyId", "found \"\(id)\", expected 3 to 128 letters, digits and '_'")
        }
        if id == nil, entry.member("accessKeyId") == nil { entry.problem("has no accessKeyId") }
        let secret = self.secret("secretAccessKey", &entry, folder)
        let token = self.secret("sessionToken", &entry, folder)
        var expires: Int64?
        if let text = entry.text("expires") {
            expires = PolicyDate.milliseconds(text)
            if expires == nil {
                entry.problem("expires", "found \"\(text)\", expected a date such as \"2026-11-21T06:09:10Z\"")
            }
            if token == nil { entry.problem("expires", "goes with sessionToken: a key without one has no end") }
        }
        let account = entry.text("account")
        if let account, !AccessNames.isAccount(account) {
            entry.problem("account", "found \"\(account)\", expected 12 digits")
        }
        let kind = self.kind(&entry)
        let policies = self.policies(of: &entry)
        guard let id, let kind else { return nil }
        return Key(
            place: ConfigurationProblem(
                file: entry.findings.text.path,
                line: entry.findings.text.line(of: entry.offset),
                keyPath: entry.keyPath,
                message: ""
            ),
            accessKeyID: id,
            secret: secret,
            token: token,
            expires: expires,
            kind: kind,
            account: account,
            policies: policies
        )
    }

    /// What stands there, or in the file that `…File` names.
    private mutating func secret(_ name: String, _ entry: inout KeyReader, _ folder: String) -> String? {
        let text = entry.text(name)
        if text != nil { holdsSecrets = true }
        guard let path = entry.text("\(name)File") else { return text }
        if text != nil { entry.problem("\(name)File", "is given beside \(name); keep one of them") }
        let file = path.hasPrefix("/") ? path : "\(folder)/\(path)"
        secretFiles.append(file)
        do throws(SecretFile.Problem) {
            return try SecretFile.read(file)
        } catch {
            entry.problem("\(name)File", error.description)
            return nil
        }
    }

    private func kind(_ entry: inout KeyReader) -> Principal.Kind? {
        let (user, role, session) = (entry.text("userName"), entry.text("roleName"), entry.text("sessionName"))
        for (name, value) in [("userName", user), ("roleName", role), ("sessionName", session)] {
            if let value, !AccessNames.isName(value) {
                entry.problem(name, "found \"\(value)\", expected letters, digits and any of +=,.@_-")
            }
        }
        switch (user, role, session) {
        case (let user?, nil, nil): return .user(user)
        case (nil, let role?, let session?): return .session(role: role, name: session)
        default:
            entry.problem("needs userName, or roleName and sessionName: that is whom the key speaks for")
            return nil
        }
    }

    private func policies(of entry: inout KeyReader) -> [(name: String, document: PolicyDocument)] {
        guard let member = entry.member("policies") else { return [] }
        guard let list = member.value.array else {
            entry.problem("policies", "found \(member.value.kind), expected a list of names and documents")
            return []
        }
        var found: [(name: String, document: PolicyDocument)] = []
        for (index, item) in list.enumerated() {
            let path = "\(entry.path("policies"))[\(index)]"
            if let name = item.string {
                if let policy = policies.first(where: { $0.name == name }) {
                    found.append(policy)
                } else {
                    let nearest = Suggestion.nearest(to: name, in: policies.map(\.name))
                    entry.findings.problem(
                        at: member.offset,
                        path,
                        "found \"\(name)\", which is none of the file's policies"
                            + (nearest.map { "; did you mean \($0)?" } ?? "")
                    )
                }
            } else if let document = Self.policy(item, at: member.offset, path, entry.findings) {
                found.append(("inline", document))
            }
        }
        return found
    }
}

/// Names as AWS allows them.
enum AccessNames {
    static func isAccount(_ text: String) -> Bool {
        text.utf8.count == 12 && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    static func isKeyID(_ text: String) -> Bool {
        (3...128).contains(text.utf8.count) && text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "_") }
    }

    /// With a path before it, where it has one: `team/alice`.
    static func isName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count <= 512
            && parts.allSatisfy { part in
                !part.isEmpty && part.utf8.allSatisfy { isWordByte($0) || "+=,.@_-".utf8.contains($0) }
            }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A
    }
}
