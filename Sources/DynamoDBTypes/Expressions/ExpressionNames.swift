import AWSProtocol

/// The `#names` and `:values` of a request, and which of them its expressions have used.
public struct ExpressionNames: Sendable {
    private let names: [String: String]
    private let values: Item
    private var unusedNames: Set<String>
    private var unusedValues: Set<String>

    /// Reads `ExpressionAttributeNames` and `ExpressionAttributeValues`. `expressions` lists the request's expression
    /// parameters and whether each is there; names without any are a mistake. Throws `ValidationException` in AWS's words.
    public init(body: RequestReader, expressions: [(name: String, isPresent: Bool)]) throws(AWSError) {
        let hasExpression = expressions.contains(where: \.isPresent)
        names = try Self.names(body, hasExpression: hasExpression)
        values = try Self.values(
            body,
            hasExpression: hasExpression,
            absent: expressions.map(\.name).joined(separator: " and "),
            isPlural: expressions.count > 1
        )
        unusedNames = Set(names.keys)
        unusedValues = Set(values.keys)
    }

    private static func names(_ body: RequestReader, hasExpression: Bool) throws(AWSError) -> [String: String] {
        guard let given = try body.members("ExpressionAttributeNames") else { return [:] }
        guard hasExpression else {
            throw .validation("ExpressionAttributeNames can only be specified when using expressions")
        }
        guard !given.isEmpty else { throw .validation("ExpressionAttributeNames must not be empty") }
        var names: [String: String] = [:]
        for member in given {
            guard isReference(member.name, "#") else {
                throw .validation(
                    "ExpressionAttributeNames contains invalid key: Syntax error; key: \"\(member.name)\""
                )
            }
            guard let name = member.value.string else {
                throw .serialization("Unexpected value type in payload: ExpressionAttributeNames holds strings")
            }
            guard !name.isEmpty else {
                throw .validation(
                    "ExpressionAttributeNames contains invalid value: Empty attribute name for key \(member.name)"
                )
            }
            names[member.name] = name
        }
        return names
    }

    private static func values(
        _ body: RequestReader,
        hasExpression: Bool,
        absent: String,
        isPlural: Bool
    ) throws(AWSError) -> Item {
        guard let given = try body.members("ExpressionAttributeValues") else { return [:] }
        guard hasExpression else {
            throw .validation(
                "ExpressionAttributeValues can only be specified when using expressions: \(absent) "
                    + (isPlural ? "are null" : "is null")
            )
        }
        guard !given.isEmpty else { throw .validation("ExpressionAttributeValues must not be empty") }
        var values: Item = [:]
        for member in given {
            guard isReference(member.name, ":") else {
                throw .validation(
                    "ExpressionAttributeValues contains invalid key: Syntax error; key: \"\(member.name)\""
                )
            }
            do {
                values[member.name] = try AttributeValue(json: member.value)
            } catch {
                guard error.code == "ValidationException" else { throw error }
                throw .validation(
                    "ExpressionAttributeValues contains invalid value: \(error.message) for key \(member.name)"
                )
            }
        }
        return values
    }

    private static func isReference(_ key: String, _ sigil: Character) -> Bool {
        key.first == sigil && key.utf8.count > 1
            && key.utf8.dropFirst().allSatisfy { byte in
                (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
                    || byte == UInt8(ascii: "_")
            }
    }

    /// The attribute's name behind `#reference`.
    mutating func name(_ reference: String, in expression: String) throws(AWSError) -> String {
        guard let name = names[reference] else {
            throw .validation(
                "Invalid \(expression): An expression attribute name used in the document path is not defined; "
                    + "attribute name: \(reference)"
            )
        }
        unusedNames.remove(reference)
        return name
    }

    /// The value behind `:reference`.
    mutating func value(_ reference: String, in expression: String) throws(AWSError) -> AttributeValue {
        guard let value = values[reference] else {
            throw .validation(
                "Invalid \(expression): An expression attribute value used in expression is not defined; "
                    + "attribute value: \(reference)"
            )
        }
        unusedValues.remove(reference)
        return value
    }

    /// Called after every expression is parsed: whatever was given and not used is a mistake.
    public func checkAllUsed() throws(AWSError) {
        if !unusedNames.isEmpty {
            throw .validation(
                "Value provided in ExpressionAttributeNames unused in expressions: keys: "
                    + "{\(unusedNames.sorted().joined(separator: ", "))}"
            )
        }
        if !unusedValues.isEmpty {
            throw .validation(
                "Value provided in ExpressionAttributeValues unused in expressions: keys: "
                    + "{\(unusedValues.sorted().joined(separator: ", "))}"
            )
        }
    }
}
