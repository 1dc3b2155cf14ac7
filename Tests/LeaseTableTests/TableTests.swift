import AWSProtocol
import DynamoDBTypes
import LeaseTable
import StateStore
import Testing

@Suite("Tables")
struct TableTests {
    @Test("a created table is active at once and describes itself as clients expect")
    func describe() async throws {
        let client = TableClient()
        let created = try await client.call(
            "CreateTable",
            """
            {"TableName":"app","KeySchema":[{"AttributeName":"leaseKey","KeyType":"HASH"}],
             "AttributeDefinitions":[{"AttributeName":"leaseKey","AttributeType":"S"}],
             "BillingMode":"PAY_PER_REQUEST","Tags":[{"Key":"a","Value":"b"}]}
            """
        )
        #expect(created["TableDescription"]?["TableStatus"] == .string("ACTIVE"))
        try await client.call("PutItem", #"{"TableName":"app","Item":{"leaseKey":{"S":"k"},"n":{"N":"12"}}}"#)
        let table = try #require(try await client.call("DescribeTable", #"{"TableName":"app"}"#)["Table"])
        #expect(table["TableArn"] == .string("arn:aws:dynamodb:us-east-1:000000000000:table/app"))
        #expect(table["TableId"]?.string?.count == 36)
        #expect(table["CreationDateTime"] == .number("1700000000.123"))
        #expect(table["ItemCount"]?.integer == 1)
        #expect(table["TableSizeBytes"]?.integer == 13)
        #expect(table["ProvisionedThroughput"]?["ReadCapacityUnits"]?.integer == 0)
        #expect(table["BillingModeSummary"]?["BillingMode"] == .string("PAY_PER_REQUEST"))
        #expect(table["DeletionProtectionEnabled"] == .bool(false))
        #expect(table["KeySchema"]?.array?.count == 1)
        #expect(table["AttributeDefinitions"]?.array?.count == 1)
        let byARN = #"{"TableName":"arn:aws:dynamodb:us-east-1:000000000000:table/app"}"#
        #expect(try await client.call("DescribeTable", byARN)["Table"]?["TableId"] == table["TableId"])
    }

    @Test("errors of tables have AWS's names and words")
    func errors() async throws {
        let client = try await TableClient.leases()
        let missing = await client.failure("DescribeTable", #"{"TableName":"gone"}"#)
        #expect(missing.code == "ResourceNotFoundException")
        #expect(missing.message == "Requested resource not found: Table: gone not found")
        let item = await client.failure("GetItem", #"{"TableName":"gone","Key":{"leaseKey":{"S":"k"}}}"#)
        #expect(item.code == "ResourceNotFoundException")
        #expect(item.message == "Requested resource not found")
        let twice = await client.failure(
            "CreateTable",
            """
            {"TableName":"app","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST",
             "AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}]}
            """
        )
        #expect(twice.code == "ResourceInUseException")
        #expect(twice.message == "Table already exists: app")
        #expect(await client.failure("TransactWriteItems", "{}").code == "UnknownOperationException")
        #expect(await client.failure("GetItem", "[]").code == "SerializationException")
        #expect(await client.failure("GetItem", "{").code == "SerializationException")
        let nothing = await client.failure("GetItem", "{}")
        #expect(nothing.code == "ValidationException")
        #expect(
            nothing.message.contains("Value null at 'tableName' failed to satisfy constraint: Member must not be null")
        )
        #expect(
            await client.failure("PutItem", #"{"TableName":"app","Item":{"leaseKey":"k"}}"#).code
                == "SerializationException"
        )
    }

    @Test(
        "unsound tables are refused",
        arguments: [
            #"{"TableName":"t1t","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"AttributeDefinitions":[],"BillingMode":"PAY_PER_REQUEST"}"#,
            #"{"TableName":"t1t","KeySchema":[{"AttributeName":"k","KeyType":"RANGE"}],"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#,
            #"{"TableName":"t1t","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"M"}],"BillingMode":"PAY_PER_REQUEST"}"#,
            #"{"TableName":"t1t","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}]}"#,
            #"{"TableName":"t1t","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"},{"AttributeName":"x","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#,
            #"{"TableName":"a b","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#,
            #"{"TableName":"t1t","BillingMode":"PAY_PER_REQUEST"}"#,
        ]
    )
    func unsound(_ request: String) async throws {
        #expect(await TableClient().failure("CreateTable", request).code == "ValidationException")
    }

    @Test("a deleted table is gone with its items, also when it is created again")
    func deletes() async throws {
        let store = MemoryStateStore()
        let client = try await TableClient.leases(store)
        for number in 0..<600 {
            try await client.call("PutItem", #"{"TableName":"app","Item":{"leaseKey":{"S":"\#(number)"}}}"#)
        }
        let answer = try await client.call("DeleteTable", #"{"TableName":"app"}"#)
        #expect(answer["TableDescription"]?["TableStatus"] == .string("DELETING"))
        let id = try #require(answer["TableDescription"]?["TableId"]?.string)
        #expect(try await store.scan("table/us-east-1/\(id)", prefix: "", after: nil, limit: 1).isEmpty)
        #expect(try await store.scan("tables-dropped", prefix: "", after: nil, limit: 1).isEmpty)
        #expect(await client.failure("DeleteTable", #"{"TableName":"app"}"#).code == "ResourceNotFoundException")
        try await client.createLeases()
        #expect(try await client.call("Scan", #"{"TableName":"app"}"#)["Count"]?.integer == 0)
    }

    @Test("a protected table is not deleted before its protection is lifted")
    func protection() async throws {
        let client = try await TableClient.leases()
        try await client.call("UpdateTable", #"{"TableName":"app","DeletionProtectionEnabled":true}"#)
        #expect(await client.failure("DeleteTable", #"{"TableName":"app"}"#).code == "ValidationException")
        try await client.call("UpdateTable", #"{"TableName":"app","DeletionProtectionEnabled":false}"#)
        try await client.call("DeleteTable", #"{"TableName":"app"}"#)
    }

    @Test("tables are listed by region, page by page")
    func lists() async throws {
        let client = TableClient()
        for name in ["ccc", "aaa", "bbb"] { try await client.createLeases(name) }
        var other = client
        other.region = "eu-west-1"
        try await other.createLeases("zzz")
        let first = try await client.call("ListTables", #"{"Limit":2}"#)
        #expect(first["TableNames"] == .array([.string("aaa"), .string("bbb")]))
        #expect(first["LastEvaluatedTableName"] == .string("bbb"))
        let second = try await client.call("ListTables", #"{"Limit":2,"ExclusiveStartTableName":"bbb"}"#)
        #expect(
            second == .object([.init("TableNames", .array([.string("ccc")]))])
                || second["TableNames"] == .array([.string("ccc")])
        )
        #expect(second["LastEvaluatedTableName"] == nil)
        #expect(try await other.call("ListTables", "{}")["TableNames"] == .array([.string("zzz")]))
    }

    @Test("expiry and point-in-time recovery are accepted, and answered as not in force")
    func honest() async throws {
        let client = try await TableClient.leases()
        let request = #"{"TableName":"app","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"ttl"}}"#
        #expect(
            try await client.call("UpdateTimeToLive", request)["TimeToLiveSpecification"]?["Enabled"] == .bool(false)
        )
        let ttl = try await client.call("DescribeTimeToLive", #"{"TableName":"app"}"#)
        #expect(ttl["TimeToLiveDescription"]?["TimeToLiveStatus"] == .string("DISABLED"))
        let backups = try await client.call(
            "UpdateContinuousBackups",
            #"{"TableName":"app","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}}"#
        )
        let recovery = backups["ContinuousBackupsDescription"]?["PointInTimeRecoveryDescription"]
        #expect(recovery?["PointInTimeRecoveryStatus"] == .string("DISABLED"))
    }

    @Test("keys that do not fit the schema are refused in AWS's words")
    func keys() async throws {
        let client = try await TableClient.leases()
        func message(_ operation: String, _ member: String) async -> String {
            await client.failure(operation, #"{"TableName":"app",\#(member)}"#).message
        }
        let schema = "The provided key element does not match the schema"
        #expect(await message("GetItem", #""Key":{"leaseKey":{"N":"1"}}"#) == schema)
        #expect(await message("GetItem", #""Key":{"other":{"S":"1"}}"#) == schema)
        #expect(await message("DeleteItem", #""Key":{"leaseKey":{"S":"1"},"x":{"S":"1"}}"#) == schema)
        #expect(
            await message("PutItem", #""Item":{"x":{"S":"1"}}"#)
                == "One or more parameter values were invalid: Missing the key leaseKey in the item"
        )
        #expect(
            await message("PutItem", #""Item":{"leaseKey":{"N":"1"}}"#)
                == "One or more parameter values were invalid: Type mismatch for key leaseKey expected: S actual: N"
        )
        #expect(
            await message("PutItem", #""Item":{"leaseKey":{"S":""}}"#).contains("cannot contain an empty string value")
        )
        let long = String(repeating: "k", count: 2049)
        #expect(
            await message("PutItem", #""Item":{"leaseKey":{"S":"\#(long)"}}"#).contains("Size of hashkey has exceeded")
        )
        let big = String(repeating: "x", count: 400 * 1024)
        #expect(
            await message("PutItem", #""Item":{"leaseKey":{"S":"k"},"x":{"S":"\#(big)"}}"#)
                == "Item size has exceeded the maximum allowed size"
        )
        #expect(
            await message(
                "UpdateItem",
                #""Key":{"leaseKey":{"S":"k"}},"AttributeUpdates":{"x":{"Value":{"S":"\#(big)"}}}"#
            )
                == "Item size to update has exceeded the maximum allowed size"
        )
    }
}
