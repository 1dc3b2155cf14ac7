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

    /// Reads the policy that is put on a resource. Throws all that is wrong with it.
    ///
    /// - Parameter arn: the resource's own: every statement must speak of it.
    public init(resourcePolicy text: String, on arn: String) throws(PolicyProblems) {
        func refused(_ message: String) -> PolicyProblems {
            PolicyProblems(problems: [PolicyProblem(path: "", offset: nil, message: message)])
        }
        guard text.utf8.count <= Self.resourcePolicyLimit else {
            throw refused("has \(text.utf8.count) bytes; at most \(Self.resourcePolicyLimit) are taken")
        }
        let json: JSONValue
        do {
            json = try JSONValue(parsing: text.utf8)
        } catch {
            throw refused("is no JSON: \(error)")
        }
        var reader = PolicyReader(.resource)
        guard let document = reader.read(json) else { throw PolicyProblems(problems: reader.problems) }
        let subject = ARNText(arn)
        let strangers = document.statements.enumerated().filter { !$0.element.names(subject) }
        guard strangers.isEmpty else {
            throw PolicyProblems(
                problems: strangers.map {
                    PolicyProblem(
                        path: "Statement[\($0.offset)].Resource",
                        offset: nil,
                        message: "does not name \(arn), the resource that the policy is put on"
                    )
                }
            )
        }
        self = document
    }
}

extension PolicyStatement {
    /// Whether the statement can ever apply to a resource, as far as can be told without a request.
    fileprivate func names(_ arn: ARNText) -> Bool {
        resources.isInverted || resources.elements.contains { $0.mayMatch(arn) }
    }
}
