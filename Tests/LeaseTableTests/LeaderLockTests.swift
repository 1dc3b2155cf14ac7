import AWSProtocol
import DynamoDBTypes
import Testing

/// The lock client's requests, and the worker metrics and state rows of KCL 3.
@Suite("KCL's leader election and worker state")
struct LeaderLockTests {
    private func client() async throws -> TableClient {
        let client = TableClient()
        try await client.call(
            "CreateTable",
            """
            {"TableName":"app","KeySchema":[{"AttributeName":"key","KeyType":"HASH"}],"AttributeDefinitions":
             [{"AttributeName":"key","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}
            """
        )
        return client
    }

    private func lock(_ rvn: String, _ condition: String, _ values: String = "") -> String {
        """
        {"TableName":"app","Item":{"key":{"S":"Leader"},"ownerName":{"S":"w"},"leaseDuration":{"S":"120000"},
         "recordVersionNumber":{"S":"\(rvn)"}},\(condition)\(values)}
        """
    }

    private let free = ##""ConditionExpression":"attribute_not_exists(#pk)","ExpressionAttributeNames":{"#pk":"key"}"##

    @Test("acquire where none is, by attribute_not_exists")
    func acquire() async throws {
        let client = try await client()
        try await client.call("PutItem", lock("v1", free))
        #expect(await client.failure("PutItem", lock("v2", free)).code == "ConditionalCheckFailedException")
    }

    @Test("acquire an expired one by its version, and only by that")
    func expired() async throws {
        let client = try await client()
        try await client.call("PutItem", lock("v1", free))
        let condition = """
            "ConditionExpression":"attribute_exists(#pk) AND #rvn = :rvn",
            "ExpressionAttributeNames":{"#pk":"key","#rvn":"recordVersionNumber"},
            """
        try await client.call("PutItem", lock("v2", condition, #""ExpressionAttributeValues":{":rvn":{"S":"v1"}}"#))
        let late = await client.failure(
            "PutItem",
            lock("v3", condition, #""ExpressionAttributeValues":{":rvn":{"S":"v1"}}"#)
        )
        #expect(late.code == "ConditionalCheckFailedException")
    }

    @Test("acquire a released one, with the whole condition in parentheses")
    func released() async throws {
        let client = try await client()
        try await client.call("PutItem", lock("v1", free))
        let names = ##""ExpressionAttributeNames":{"#pk":"key","#rvn":"recordVersionNumber","#ir":"isReleased"},"##
        let values = #""ExpressionAttributeValues":{":rvn":{"S":"v1"},":ir":{"S":"1"}}"#
        let condition = #""ConditionExpression":"(attribute_exists(#pk) AND #rvn = :rvn AND #ir = :ir)","#
        #expect(
            await client.failure("PutItem", lock("v2", condition + names, values)).code
                == "ConditionalCheckFailedException"
        )
        try await client.call(
            "UpdateItem",
            """
            {"TableName":"app","Key":{"key":{"S":"Leader"}},"UpdateExpression":"SET #ir = :ir",
             "ExpressionAttributeNames":{"#ir":"isReleased"},"ExpressionAttributeValues":{":ir":{"S":"1"}}}
            """
        )
        try await client.call("PutItem", lock("v2", condition + names, values))
        let item = try await client.call(
            "GetItem",
            #"{"TableName":"app","Key":{"key":{"S":"Leader"}},"ConsistentRead":true}"#
        )
        #expect(item["Item"]?["isReleased"] == nil)
    }

    @Test("heartbeat changes the version, and the release deletes under the same condition")
    func heartbeat() async throws {
        let client = try await client()
        try await client.call("PutItem", lock("v1", free))
        let condition = #""ConditionExpression":"attribute_exists(#pk) AND #rvn = :rvn AND #on = :on","#
        let beat = """
            {"TableName":"app","Key":{"key":{"S":"Leader"}},"UpdateExpression":"SET #ld = :ld, #rvn = :newRvn",\(condition)
             "ExpressionAttributeNames":{"#pk":"key","#rvn":"recordVersionNumber","#on":"ownerName","#ld":"leaseDuration"},
             "ExpressionAttributeValues":{":rvn":{"S":"v1"},":newRvn":{"S":"v2"},":on":{"S":"w"},":ld":{"S":"120000"}}}
            """
        try await client.call("UpdateItem", beat)
        #expect(await client.failure("UpdateItem", beat).code == "ConditionalCheckFailedException")
        let release = """
            {"TableName":"app","Key":{"key":{"S":"Leader"}},\(condition)
             "ExpressionAttributeNames":{"#pk":"key","#rvn":"recordVersionNumber","#on":"ownerName"},
             "ExpressionAttributeValues":{":rvn":{"S":"v2"},":on":{"S":"w"}},"ReturnValues":"ALL_OLD"}
            """
        let old = try await client.call("DeleteItem", release)
        #expect(old["Attributes"]?["recordVersionNumber"]?["S"] == .string("v2"))
        #expect(await client.failure("DeleteItem", release).code == "ConditionalCheckFailedException")
    }

    @Test("worker metrics are set by names with underscores and come back whole, stale ones go")
    func workerMetrics() async throws {
        let client = try await client()
        let answer = try await client.call(
            "UpdateItem",
            """
            {"TableName":"app","Key":{"key":{"S":"w1"}},"UpdateExpression":
             "SET #AMZN_MAPPED_opr = :AMZN_MAPPED_opr, #AMZN_MAPPED_sts = :AMZN_MAPPED_sts, #AMZN_MAPPED_lut = :AMZN_MAPPED_lut",
             "ExpressionAttributeNames":{"#AMZN_MAPPED_opr":"opr","#AMZN_MAPPED_sts":"sts","#AMZN_MAPPED_lut":"lut"},
             "ExpressionAttributeValues":{":AMZN_MAPPED_opr":{"M":{"C":{"L":[{"N":"80"}]}}},":AMZN_MAPPED_sts":
             {"M":{"C":{"L":[{"N":"1.5"},{"N":"-1"}]}}},":AMZN_MAPPED_lut":{"N":"1700000000"}},"ReturnValues":"ALL_NEW"}
            """
        )
        #expect(answer["Attributes"]?["sts"]?["M"]?["C"]?["L"]?.array?.last?["N"] == .string("-1"))
        let stale = """
            {"TableName":"app","Key":{"key":{"S":"w1"}},"ConditionExpression":"#key = :value AND attribute_exists (key)",
             "ExpressionAttributeNames":{"#key":"lut"},"ExpressionAttributeValues":{":value":{"N":"1.7E9"}}}
            """
        try await client.call("DeleteItem", stale)
        #expect(try await client.call("Scan", #"{"TableName":"app"}"#)["Count"]?.integer == 0)
    }

    @Test("the migration row is updated by the legacy parameters, with lists and maps")
    func migration() async throws {
        let client = try await client()
        try await client.call(
            "PutItem",
            """
            {"TableName":"app","Item":{"key":{"S":"Migration3.0"},"cv":{"S":"A"},"mb":{"S":"w"},"mts":{"N":"1700000000123"},
             "h":{"L":[]}},"Expected":{"key":{"Exists":false}}}
            """
        )
        let update = """
            {"TableName":"app","Key":{"key":{"S":"Migration3.0"}},"AttributeUpdates":{"cv":{"Value":{"S":"B"},"Action":"PUT"},
             "h":{"Value":{"L":[{"M":{"cv":{"S":"A"},"mts":{"N":"1"}}}]},"Action":"PUT"}},
             "Expected":{"key":{"Value":{"S":"Migration3.0"}},"cv":{"Value":{"S":"A"}}}}
            """
        try await client.call("UpdateItem", update)
        #expect(await client.failure("UpdateItem", update).code == "ConditionalCheckFailedException")
    }

    @Test("NULL equals NULL, as the checkpointer of another client needs it")
    func nullEqualsNull() async throws {
        let client = try await client()
        try await client.call("PutItem", #"{"TableName":"app","Item":{"key":{"S":"s"},"ts":{"NULL":true}}}"#)
        try await client.call(
            "UpdateItem",
            """
            {"TableName":"app","Key":{"key":{"S":"s"}},"UpdateExpression":"SET #ts = :now",
             "ConditionExpression":"#ts = :old_ts OR attribute_not_exists(#ts)","ExpressionAttributeNames":{"#ts":"ts"},
             "ExpressionAttributeValues":{":now":{"N":"1700000000123456789"},":old_ts":{"NULL":true}}}
            """
        )
        let item = try await client.call("GetItem", #"{"TableName":"app","Key":{"key":{"S":"s"}}}"#)
        #expect(item["Item"]?["ts"]?["N"] == .string("1700000000123456789"))
        try await client.call(
            "UpdateItem",
            """
            {"TableName":"app","Key":{"key":{"S":"s"}},"UpdateExpression":
             "SET ts = ts + :inc, lastCounter = if_not_exists(lastCounter, :zero) REMOVE owner",
             "ExpressionAttributeValues":{":inc":{"N":"1"},":zero":{"N":"0"}}}
            """
        )
        let next = try await client.call("GetItem", #"{"TableName":"app","Key":{"key":{"S":"s"}}}"#)
        #expect(next["Item"]?["ts"]?["N"] == .string("1700000000123456790"))
    }
}
