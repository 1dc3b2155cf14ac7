import AWSProtocol

extension PolicyDocument {
    /// Reads the policy that a resource has. One that can't be read lets nobody in; its account may still replace it.
    public init(stored text: String) {
        var reader = PolicyReader(.resource)
        if let json = try? JSONValue(parsing: text.utf8), let document = reader.read(json) {
            self = document
        } else {
            self = .closed
        }
    }

    /// Denies everybody everything.
    static let closed = PolicyDocument(
        version: "2012-10-17",
        id: nil,
        statements: [
            PolicyStatement(
                sid: nil,
                effect: .deny,
                principals: PolicyStatement.Choice(elements: [.everyone], isInverted: false),
                actions: PolicyStatement.Choice(elements: [.anything], isInverted: false),
                resources: PolicyStatement.Choice(elements: [.anything], isInverted: false),
                conditions: []
            )
        ]
    )

    /// Bytes a resource's policy may have: 20 KiB.
    public static let resourcePolicyLimit = 20 * 1024

    /// Reads the policy that is put on a resource. Throws what is wrong with it, as AWS says it where it does.
    ///
    /// - Parameters:
    ///   - arn: the resource's own: every statement must speak of it.
    ///   - actions: what policies on such a resource can be about, each with its service in front.
    public init(resourcePolicy text: String, on arn: String, actions: [String]) throws(PolicyProblems) {
        func refused(_ message: String) -> PolicyProblems {
            PolicyProblems(problems: [PolicyProblem(path: "", offset: nil, message: message)])
        }
        guard text.utf8.count <= Self.resourcePolicyLimit else {
            throw refused("The policy has \(text.utf8.count) bytes; at most \(Self.resourcePolicyLimit) are taken")
        }
        guard let json = try? JSONValue(parsing: text.utf8), let members = json.members else {
            throw refused("This policy contains invalid Json")
        }
        for name in ["Version", "Statement"] where !members.contains(where: { $0.name == name }) {
            throw refused("Missing required field \(name)")
        }
        for (number, statement) in (json["Statement"]?.array ?? [json["Statement"] ?? .null]).enumerated() {
            let strange = Self.texts(statement["Action"]).filter { !Self.isAction($0, of: actions) }
            let message: String
            if !strange.isEmpty {
                let names = strange.map { "\"\($0)\"" }.joined(separator: ", ")
                message = "The following action names are invalid: \(names)"
            } else if !Self.names(statement["Resource"], ARNText(arn)) {
                message = "The resource policy's resource must be the same as the resource ARN."
            } else {
                continue
            }
            throw refused(
                "Resource policy contains invalid statement at \(Self.place(of: statement, number, in: text)): \(message)"
            )
        }
        var reader = PolicyReader(.resource)
        guard let document = reader.read(json) else { throw PolicyProblems(problems: reader.problems) }
        let subject = ARNText(arn)
        guard document.statements.allSatisfy({ $0.names(subject) }) else {
            throw refused("The resource policy's resource must be the same as the resource ARN.")
        }
        self = document
    }

    private static func texts(_ value: JSONValue?) -> [String] {
        value?.array?.compactMap(\.string) ?? value?.string.map { [$0] } ?? []
    }

    /// Whether a name means one of the actions. What is no name at all is told of later.
    private static func isAction(_ text: String, of actions: [String]) -> Bool {
        guard text.contains(":"), let wanted = try? Wildcards(text, [.wildcards, .anyCase]) else { return true }
        return actions.contains { wanted.mayMatch(Array($0.lowercased().utf8)[...]) }
    }

    /// Whether one of the resources that a statement names can be this one. What is no ARN is told of later.
    private static func names(_ resource: JSONValue?, _ arn: ARNText) -> Bool {
        let patterns = texts(resource).map { try? ARNPattern($0, [.wildcards, .variables]) }
        return patterns.isEmpty || patterns.contains { $0?.mayMatch(arn) ?? true }
    }

    /// The line and column of a statement's brace, both counted from 1.
    private static func place(of statement: JSONValue, _ number: Int, in text: String) -> String {
        guard let first = statement.members?.first else { return "number \(number + 1)" }
        let before = Array(text.utf8.prefix(first.offset))
        let brace = before.lastIndex(of: UInt8(ascii: "{")) ?? 0
        let line = before[..<brace].count { $0 == UInt8(ascii: "\n") } + 1
        let start = before[..<brace].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return "line \(line), column \(brace - start + 1)"
    }
}

extension PolicyStatement {
    /// Whether the statement can ever apply to a resource, as far as can be told without a request.
    fileprivate func names(_ arn: ARNText) -> Bool {
        resources.isInverted || resources.elements.contains { $0.mayMatch(arn) }
    }
}
