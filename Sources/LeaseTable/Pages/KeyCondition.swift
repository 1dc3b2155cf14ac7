import AWSProtocol
import DynamoDBTypes

/// A query's key condition, checked against a key schema: one hash key, and maybe a condition on the range key.
struct KeyCondition: Sendable, Equatable {
    /// The hash key.
    var hash: AttributeValue
    /// The condition on the range key.
    var range: Condition?

    /// Throws `ValidationException` in AWS's words when the condition does not fit the schema.
    init(_ condition: Condition, keys: KeySchema, types: [String: String]) throws(AWSError) {
        var hash: AttributeValue?
        var range: Condition?
        for part in try Self.parts(condition) {
            let (name, normal, values) = try Self.normalized(part)
            guard values.allSatisfy({ $0.type == types[name] }) || types[name] == nil else {
                throw .validation(
                    "One or more parameter values were invalid: Condition parameter type does not match schema type"
                )
            }
            if name == keys.hash, hash == nil {
                guard case .compare(_, .equal, _) = normal, let value = values.first else {
                    throw .validation("Query key condition not supported")
                }
                hash = value
            } else if name == keys.range, range == nil {
                if case .compare(_, .notEqual, _) = normal { throw .validation("Query key condition not supported") }
                range = normal
            } else if name == keys.hash || name == keys.range {
                throw .validation(
                    "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"
                )
            } else {
                throw .validation("Query condition missed key schema element: \(keys.range ?? keys.hash)")
            }
        }
        guard let hash else { throw .validation("Query condition missed key schema element: \(keys.hash)") }
        self.hash = hash
        self.range = range
    }

    private static func parts(_ condition: Condition) throws(AWSError) -> [Condition] {
        switch condition {
        case .all(let parts):
            var flat: [Condition] = []
            for part in parts { flat += try self.parts(part) }
            return flat
        case .any: throw invalidOperator("OR")
        case .not: throw invalidOperator("NOT")
        case .isIn: throw invalidOperator("IN")
        case .exists: throw invalidOperator("attribute_exists")
        case .notExists: throw invalidOperator("attribute_not_exists")
        case .hasType: throw invalidOperator("attribute_type")
        case .contains: throw invalidOperator("contains")
        case .compare, .between, .beginsWith: return [condition]
        }
    }

    private static func invalidOperator(_ name: String) -> AWSError {
        .validation("Invalid operator used in KeyConditionExpression: \(name)")
    }

    /// The key's name, the condition with the key at its left, and its values.
    private static func normalized(
        _ condition: Condition
    ) throws(AWSError) -> (name: String, condition: Condition, values: [AttributeValue]) {
        switch condition {
        case .compare(.path(let path), let comparator, .value(let value)) where path.steps.isEmpty:
            return (path.attribute, .compare(.path(path), comparator, .value(value)), [value])
        case .compare(.value(let value), let comparator, .path(let path)) where path.steps.isEmpty:
            return (path.attribute, .compare(.path(path), comparator.mirrored, .value(value)), [value])
        case .between(.path(let path), .value(let low), .value(let high)) where path.steps.isEmpty:
            return (path.attribute, condition, [low, high])
        case .beginsWith(.path(let path), .value(let prefix)) where path.steps.isEmpty:
            return (path.attribute, condition, [prefix])
        default: throw .validation("Query key condition not supported")
        }
    }

    /// Whether an item belongs to the answer.
    func holds(for item: Item, keys: KeySchema) -> Bool {
        item[keys.hash] == hash && (range?.holds(for: item) ?? true)
    }
}

extension Condition.Comparator {
    /// The comparator with its sides exchanged.
    fileprivate var mirrored: Condition.Comparator {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }
}
