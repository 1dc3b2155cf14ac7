/// A place in an item: a top-level attribute, and steps into its maps and lists.
public struct DocumentPath: Sendable, Hashable, CustomStringConvertible {
    /// One step down.
    public enum Step: Sendable, Hashable {
        /// `.name`
        case member(String)
        /// `[n]`
        case index(Int)
    }

    /// The top-level attribute.
    public var attribute: String
    /// The steps below it, none for the attribute itself.
    public var steps: [Step]

    /// A place in an item.
    public init(_ attribute: String, _ steps: [Step] = []) {
        self.attribute = attribute
        self.steps = steps
    }

    /// As AWS's messages print it: `[a, b, [0]]`.
    public var description: String {
        let parts = steps.map { step in
            switch step {
            case .member(let name): name
            case .index(let index): "[\(index)]"
            }
        }
        return "[" + ([attribute] + parts).joined(separator: ", ") + "]"
    }

    /// The value at this place, nil when there is none.
    public func value(in item: Item) -> AttributeValue? {
        var current = item[attribute]
        for step in steps {
            switch (step, current) {
            case (.member(let name), .map(let members)): current = members[name]
            case (.index(let index), .list(let elements)):
                current = elements.indices.contains(index) ? elements[index] : nil
            default: return nil
            }
        }
        return current
    }

    /// How two places stand to each other.
    public enum Relation: Sendable {
        /// Neither holds the other.
        case apart
        /// Equal, or one holds the other.
        case overlap
        /// One takes a place as a map where the other takes it as a list.
        case conflict
    }

    /// How this place stands to another one.
    public func relation(to other: DocumentPath) -> Relation {
        guard attribute == other.attribute else { return .apart }
        for (mine, others) in zip(steps, other.steps) where mine != others {
            switch (mine, others) {
            case (.member, .index), (.index, .member): return .conflict
            default: return .apart
            }
        }
        return .overlap
    }
}
