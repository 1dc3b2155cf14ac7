import AWSProtocol

/// Reads policy documents; collects everything that is wrong instead of stopping at the first.
public struct PolicyReader {
    /// What can't be judged by.
    public private(set) var problems: [PolicyProblem] = []
    /// What is accepted and may not do what was meant.
    public private(set) var notices: [PolicyProblem] = []
    let kind: PolicyDocument.Kind
    private var offset: Int?
    private var sids: Set<String> = []
    var hasVariables = false

    /// A reader of one document.
    public init(_ kind: PolicyDocument.Kind) { self.kind = kind }

    /// Reads a document that stands somewhere in a text; nil when something is wrong. `offset` is where it stands.
    public mutating func read(_ value: JSONValue, offset: Int? = nil) -> PolicyDocument? {
        self.offset = offset
        guard let members = value.members else {
            problem("", "found \(value.kind), expected a policy document, which is an object")
            return nil
        }
        check(members, "", known: ["Version", "Id", "Statement"])
        let version = version(value["Version"])
        hasVariables = version == "2012-10-17"
        let id = text(members, "Id", "")
        var statements: [PolicyStatement] = []
        if let member = members.last(where: { $0.name == "Statement" }) {
            self.offset = member.offset
            let list = member.value.array ?? [member.value]
            if list.isEmpty { problem("Statement", "is empty; a policy without a statement says nothing") }
            for (index, item) in list.enumerated() {
                let path = member.value.array == nil ? "Statement" : "Statement[\(index)]"
                if let statement = statement(item, path) { statements.append(statement) }
            }
        } else {
            problem("", "has no Statement")
        }
        return problems.isEmpty ? PolicyDocument(version: version, id: id, statements: statements) : nil
    }

    // MARK: - Elements

    private mutating func version(_ value: JSONValue?) -> String {
        guard let value else { return "2008-10-17" }
        guard let version = value.string, version == "2012-10-17" || version == "2008-10-17" else {
            problem("Version", "found \(Self.shown(value)), expected \"2012-10-17\" or \"2008-10-17\"")
            return "2012-10-17"
        }
        return version
    }

    private mutating func statement(_ value: JSONValue, _ path: String) -> PolicyStatement? {
        guard let members = value.members else {
            problem(path, "found \(value.kind), expected a statement, which is an object")
            return nil
        }
        if let first = members.first { offset = first.offset }
        let known = [
            "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
            "Condition",
        ]
        check(members, path, known: known)
        let sid = text(members, "Sid", path)
        if let sid, !sids.insert(sid).inserted { problem("\(path).Sid", "\"\(sid)\" is the Sid of two statements") }
        let effect = effect(members, path)
        let principals = principals(members, path, effect)
        let actions = actions(members, path)
        let resources = resources(members, path)
        var conditions: [Condition] = []
        if let member = members.last(where: { $0.name == "Condition" }) {
            offset = member.offset
            conditions = self.conditions(member.value, "\(path).Condition")
        }
        guard let effect, let actions, let resources else { return nil }
        return PolicyStatement(
            sid: sid,
            effect: effect,
            principals: principals,
            actions: actions,
            resources: resources,
            conditions: conditions
        )
    }

    private mutating func effect(_ members: [JSONValue.Member], _ path: String) -> PolicyStatement.Effect? {
        guard let member = members.last(where: { $0.name == "Effect" }) else {
            problem(path, "has no Effect, which is \"Allow\" or \"Deny\"")
            return nil
        }
        offset = member.offset
        let effect = member.value.string.flatMap(PolicyStatement.Effect.init)
        if effect == nil {
            problem("\(path).Effect", "found \(Self.shown(member.value)), expected \"Allow\" or \"Deny\"")
        }
        return effect
    }

    private mutating func actions(
        _ members: [JSONValue.Member],
        _ path: String
    ) -> PolicyStatement.Choice<Wildcards>? {
        guard let (name, texts, isInverted) = choice(members, "Action", path) else { return nil }
        var patterns: [Wildcards] = []
        for text in texts {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard text == "*" || parts.count == 2 && parts.allSatisfy({ !$0.isEmpty }) else {
                problem(
                    "\(path).\(name)",
                    "found \"\(text)\", expected SERVICE:OPERATION, such as \"kinesis:PutRecord\", or \"*\""
                )
                continue
            }
            noteUnknownAction(text, "\(path).\(name)")
            if let pattern = try? Wildcards(text, [.wildcards, .anyCase]) { patterns.append(pattern) }
        }
        return PolicyStatement.Choice(elements: patterns, isInverted: isInverted)
    }

    private mutating func noteUnknownAction(_ text: String, _ path: String) {
        guard text != "*", !ActionNames.matchesOne(text) else { return }
        let candidates = ActionNames.candidates(for: text)
        if kind == .resource, candidates.isEmpty {
            problem(path, "found \"\(text)\", which is no action on this resource")
        } else {
            notices.append(
                PolicyProblem(
                    path: path,
                    offset: offset,
                    message: "\"\(text)\" is no action of this collector",
                    unknown: text,
                    candidates: candidates
                )
            )
        }
    }

    private mutating func resources(
        _ members: [JSONValue.Member],
        _ path: String
    ) -> PolicyStatement.Choice<ARNPattern>? {
        guard let (name, texts, isInverted) = choice(members, "Resource", path) else { return nil }
        var patterns: [ARNPattern] = []
        for text in texts {
            do throws(ARNPattern.Problem) {
                patterns.append(try ARNPattern(text, hasVariables ? [.wildcards, .variables] : .wildcards))
            } catch {
                problem("\(path).\(name)", "found \"\(text)\": \(error.message)")
            }
        }
        return PolicyStatement.Choice(elements: patterns, isInverted: isInverted)
    }

    // MARK: - Parts

    /// `Action` or `NotAction`: exactly one of them, a text or a list of texts.
    mutating func choice(
        _ members: [JSONValue.Member],
        _ name: String,
        _ path: String
    ) -> (name: String, texts: [String], isInverted: Bool)? {
        let found = members.filter { $0.name == name || $0.name == "Not\(name)" }
        guard let member = found.last else {
            problem(path, "has neither \(name) nor Not\(name)")
            return nil
        }
        if Set(found.map(\.name)).count > 1 { problem(path, "has both \(name) and Not\(name); keep one") }
        offset = member.offset
        guard let texts = texts(member.value, "\(path).\(member.name)") else { return nil }
        return (member.name, texts, member.name != name)
    }

    /// A text, or a list of at least one.
    mutating func texts(_ value: JSONValue, _ path: String) -> [String]? {
        let list = value.array ?? [value]
        let texts = list.compactMap(\.string)
        guard texts.count == list.count, !texts.isEmpty else {
            problem(path, "found \(list.isEmpty ? "an empty list" : value.kind), expected a text or a list of texts")
            return nil
        }
        return texts
    }

    private mutating func text(_ members: [JSONValue.Member], _ name: String, _ path: String) -> String? {
        guard let member = members.last(where: { $0.name == name }) else { return nil }
        guard let text = member.value.string else {
            offset = member.offset
            problem(path.isEmpty ? name : "\(path).\(name)", "found \(member.value.kind), expected text")
            return nil
        }
        return text
    }

    /// Refuses members that the grammar has not, and members given twice.
    private mutating func check(_ members: [JSONValue.Member], _ path: String, known: [String]) {
        var seen: Set<String> = []
        for member in members {
            let place = path.isEmpty ? member.name : "\(path).\(member.name)"
            if !known.contains(member.name) {
                unknown(place, "is no element of a \(path.isEmpty ? "policy" : "statement")", member, known)
            } else if !seen.insert(member.name).inserted {
                offset = member.offset
                problem(place, "is given twice; keep one of them")
            }
        }
    }

    mutating func unknown(_ path: String, _ message: String, _ member: JSONValue.Member, _ candidates: [String]) {
        problems.append(
            PolicyProblem(
                path: path,
                offset: member.offset,
                message: message,
                unknown: member.name,
                candidates: candidates
            )
        )
    }

    mutating func problem(_ path: String, _ message: String) {
        problems.append(PolicyProblem(path: path, offset: offset, message: message))
    }

    mutating func notice(_ path: String, _ message: String) {
        notices.append(PolicyProblem(path: path, offset: offset, message: message))
    }

    mutating func stand(at member: JSONValue.Member) { offset = member.offset }

    static func shown(_ value: JSONValue) -> String { value.string.map { "\"\($0)\"" } ?? value.kind }
}
