/// A condition on an item: of a condition, filter or key condition expression, or of the legacy parameters.
public indirect enum Condition: Sendable, Equatable {
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`
    public enum Comparator: String, Sendable {
        /// `=`
        case equal = "="
        /// `<>`
        case notEqual = "<>"
        /// `<`
        case less = "<"
        /// `<=`
        case lessOrEqual = "<="
        /// `>`
        case greater = ">"
        /// `>=`
        case greaterOrEqual = ">="
    }

    /// What a comparison takes.
    public enum Operand: Sendable, Equatable {
        /// The value at a place, if there is one.
        case path(DocumentPath)
        /// A value of the request.
        case value(AttributeValue)
        /// `size(path)`
        case size(DocumentPath)
    }

    /// All of them.
    case all([Condition])
    /// One of them.
    case any([Condition])
    /// Not so.
    case not(Condition)
    /// A comparison.
    case compare(Operand, Comparator, Operand)
    /// `BETWEEN low AND high`, both inclusive.
    case between(Operand, Operand, Operand)
    /// `IN (…)`
    case isIn(Operand, [Operand])
    /// `attribute_exists(path)`
    case exists(DocumentPath)
    /// `attribute_not_exists(path)`
    case notExists(DocumentPath)
    /// `attribute_type(path, type)`
    case hasType(DocumentPath, Operand)
    /// `begins_with(operand, prefix)`
    case beginsWith(Operand, Operand)
    /// `contains(operand, element)`
    case contains(Operand, Operand)
}

/// An update of an item: of an update expression, or of the legacy parameter `AttributeUpdates`.
public struct Update: Sendable, Equatable {
    /// A value that `SET` can take.
    public indirect enum Operand: Sendable, Equatable {
        /// The value at a place; the item must have it.
        case path(DocumentPath)
        /// A value of the request.
        case value(AttributeValue)
        /// `if_not_exists(path, operand)`
        case ifNotExists(DocumentPath, Operand)
        /// `list_append(list, list)`
        case listAppend(Operand, Operand)
        /// `a + b`
        case plus(Operand, Operand)
        /// `a - b`
        case minus(Operand, Operand)
    }

    /// What happens at one place.
    public enum Action: Sendable, Equatable {
        /// `SET path = operand`
        case set(Operand)
        /// `REMOVE path`
        case remove
        /// `ADD path value`: adds a number, or elements to a set
        case add(AttributeValue)
        /// `DELETE path value`: takes elements out of a set
        case delete(AttributeValue)
    }

    /// The actions with their places, none of which overlap.
    public var actions: [(path: DocumentPath, action: Action)]

    /// An update.
    public init(_ actions: [(path: DocumentPath, action: Action)] = []) {
        self.actions = actions
    }

    /// Equal when every action is.
    public static func == (lhs: Update, rhs: Update) -> Bool {
        lhs.actions.elementsEqual(rhs.actions) { $0.path == $1.path && $0.action == $1.action }
    }
}
