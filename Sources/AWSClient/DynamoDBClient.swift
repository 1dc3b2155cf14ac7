import AWSProtocol
import DynamoDBTypes

/// The part of DynamoDB that lease tables need, typed.
public struct DynamoDBClient: Sendable {
    /// What makes the calls.
    public let client: AWSClient

    /// Calls through `client`.
    public init(_ client: AWSClient) { self.client = client }

    /// A condition or an update with what its `#names` and `:values` stand for.
    public struct Expression: Sendable {
        /// Such as `leaseCounter = :c`.
        public var text: String
        /// What `:value` stands for, colon included.
        public var values: [String: AttributeValue]
        /// What `#name` stands for, number sign included.
        public var names: [String: String]

        /// An expression.
        public init(_ text: String, values: [String: AttributeValue] = [:], names: [String: String] = [:]) {
            self.text = text
            self.values = values
            self.names = names
        }
    }

    /// Makes a table with one string hash key, billed per request. Throws `service` ResourceInUseException when it exists.
    public func createTable(_ name: String, hashKey: String) async throws(AWSClientError) {
        _ = try await call("CreateTable") { json in
            json.name("TableName")
            json.string(name)
            json.name("BillingMode")
            json.string("PAY_PER_REQUEST")
            json.name("AttributeDefinitions")
            json.array { json in
                json.object { json in
                    json.name("AttributeName")
                    json.string(hashKey)
                    json.name("AttributeType")
                    json.string("S")
                }
            }
            json.name("KeySchema")
            json.array { json in
                json.object { json in
                    json.name("AttributeName")
                    json.string(hashKey)
                    json.name("KeyType")
                    json.string("HASH")
                }
            }
        }
    }

    /// A table's status, such as `ACTIVE`. Throws `service` ResourceNotFoundException.
    public func describeTable(_ name: String) async throws(AWSClientError) -> String {
        let answer = try await call("DescribeTable") { json in
            json.name("TableName")
            json.string(name)
        }
        guard let status = answer["Table"]?["TableStatus"]?.string else {
            throw AWSClientError(.badResponse, "DescribeTable's answer has no TableStatus")
        }
        return status
    }

    /// Removes a table.
    public func deleteTable(_ name: String) async throws(AWSClientError) {
        _ = try await call("DeleteTable") { json in
            json.name("TableName")
            json.string(name)
        }
    }

    /// The item, or nil. Reads what was written last.
    public func getItem(_ table: String, key: Item) async throws(AWSClientError) -> Item? {
        let answer = try await call("GetItem") { json in
            json.name("TableName")
            json.string(table)
            json.name("Key")
            key.write(to: &json)
            json.name("ConsistentRead")
            json.bool(true)
        }
        return try answer["Item"].map { json throws(AWSClientError) in try Self.item(json) }
    }

    /// Writes a whole item. Throws `service` ConditionalCheckFailedException.
    public func putItem(_ table: String, item: Item, condition: Expression? = nil) async throws(AWSClientError) {
        _ = try await call("PutItem") { json in
            json.name("TableName")
            json.string(table)
            json.name("Item")
            item.write(to: &json)
            Self.write(condition, nil, to: &json)
        }
    }

    /// Changes attributes; returns the item as it is afterwards. Throws `service` ConditionalCheckFailedException.
    @discardableResult
    public func updateItem(
        _ table: String,
        key: Item,
        update: Expression,
        condition: Expression? = nil
    ) async throws(AWSClientError) -> Item {
        let answer = try await call("UpdateItem") { json in
            json.name("TableName")
            json.string(table)
            json.name("Key")
            key.write(to: &json)
            json.name("ReturnValues")
            json.string("ALL_NEW")
            Self.write(condition, update, to: &json)
        }
        return try answer["Attributes"].map { json throws(AWSClientError) in try Self.item(json) } ?? [:]
    }

    /// Removes an item. Throws `service` ConditionalCheckFailedException.
    public func deleteItem(_ table: String, key: Item, condition: Expression? = nil) async throws(AWSClientError) {
        _ = try await call("DeleteItem") { json in
            json.name("TableName")
            json.string(table)
            json.name("Key")
            key.write(to: &json)
            Self.write(condition, nil, to: &json)
        }
    }

    /// Every item; all pages.
    public func scan(_ table: String) async throws(AWSClientError) -> [Item] {
        var items: [Item] = []
        var start: Item?
        repeat {
            let from = start
            let answer = try await call("Scan") { json in
                json.name("TableName")
                json.string(table)
                json.name("ConsistentRead")
                json.bool(true)
                if let from {
                    json.name("ExclusiveStartKey")
                    from.write(to: &json)
                }
            }
            for json in answer["Items"]?.array ?? [] { items.append(try Self.item(json)) }
            start = try answer["LastEvaluatedKey"].map { json throws(AWSClientError) in try Self.item(json) }
        } while start != nil
        return items
    }

    private static func write(_ condition: Expression?, _ update: Expression?, to json: inout JSONWriter) {
        if let update {
            json.name("UpdateExpression")
            json.string(update.text)
        }
        if let condition {
            json.name("ConditionExpression")
            json.string(condition.text)
        }
        let values = (update?.values ?? [:]).merging(condition?.values ?? [:]) { first, _ in first }
        let names = (update?.names ?? [:]).merging(condition?.names ?? [:]) { first, _ in first }
        if !values.isEmpty {
            json.name("ExpressionAttributeValues")
            values.write(to: &json)
        }
        if !names.isEmpty {
            json.name("ExpressionAttributeNames")
            json.object { json in
                for (name, meaning) in names {
                    json.name(escaping: name)
                    json.string(meaning)
                }
            }
        }
    }

    private func call(_ operation: String, _ body: (inout JSONWriter) -> Void) async throws(AWSClientError) -> JSONValue
    {
        let answer = try await client.call(.dynamoDB, operation, body: jsonBytes(body)).body
        do throws(JSONSyntaxError) {
            return try JSONValue(parsing: answer)
        } catch {
            throw AWSClientError(.badResponse, "\(operation) was answered with text that is not JSON: \(error)")
        }
    }

    private static func item(_ json: JSONValue) throws(AWSClientError) -> Item {
        do throws(AWSError) {
            return try Item(json: json)
        } catch {
            throw AWSClientError(.badResponse, "an item can't be read: \(error.message)")
        }
    }
}
