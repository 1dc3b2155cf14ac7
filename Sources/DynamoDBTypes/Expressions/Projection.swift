import AWSProtocol

/// Which attributes of an item a read answers.
public struct Projection: Sendable, Equatable {
    /// The places kept, none of which overlap.
    public var paths: [DocumentPath]

    /// Keeps these places.
    public init(_ paths: [DocumentPath]) {
        self.paths = paths
    }

    /// Parses a projection expression: `path { ',' path }`.
    public init(parsing text: String, names: inout ExpressionNames) throws(AWSError) {
        var parser = try ExpressionParser(text, kind: "ProjectionExpression", names: names)
        paths = [try parser.path()]
        while parser.accept(",") { paths.append(try parser.path()) }
        try parser.expectEnd()
        for (index, first) in paths.enumerated() {
            for second in paths[(index + 1)...] where first.relation(to: second) == .overlap {
                throw parser.error(
                    "Two document paths overlap with each other; must remove or rewrite one of these paths; "
                        + "path one: \(first), path two: \(second)"
                )
            }
        }
        names = parser.names
    }

    /// The part of the item that is kept, in its structure; list elements move together.
    public func apply(to item: Item) -> Item {
        var kept: Item = [:]
        for (name, value) in item {
            let below = paths.filter { $0.attribute == name }
            if below.isEmpty { continue }
            kept[name] = Self.part(value, below.map { $0.steps[...] })
        }
        return kept
    }

    private static func part(_ value: AttributeValue, _ steps: [ArraySlice<DocumentPath.Step>]) -> AttributeValue? {
        if steps.contains(where: \.isEmpty) { return value }
        switch value {
        case .map(let members):
            var kept: Item = [:]
            for (name, member) in members {
                let below = steps.filter { $0.first == .member(name) }
                if !below.isEmpty, let part = part(member, below.map { $0.dropFirst() }) { kept[name] = part }
            }
            return kept.isEmpty ? nil : .map(kept)
        case .list(let elements):
            let kept = elements.indices.compactMap { index -> AttributeValue? in
                let below = steps.filter { $0.first == .index(index) }
                return below.isEmpty ? nil : part(elements[index], below.map { $0.dropFirst() })
            }
            return kept.isEmpty ? nil : .list(kept)
        default: return nil
        }
    }
}
