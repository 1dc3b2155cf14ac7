import AWSProtocol
import DynamoDBTypes
import LeaseTable
import Testing

/// The writes that KCL clients were recorded to send, each in its own shape.
@Suite("KCL's writes of leases")
struct KCLWriteTests {
    private static let newLease = """
        "leaseKey":{"S":"shardId-000000000000"},"leaseCounter":{"N":"5"},"leaseOwner":{"S":"w1"},
        "checkpoint":{"S":"TRIM_HORIZON"},"checkpointSubSequenceNumber":{"N":"0"},
        "ownerSwitchesSinceCheckpoint":{"N":"1"},"startingHashKey":{"S":"0"},"endingHashKey":{"S":"99"},
        "parentShardId":{"SS":["shardId-b","shardId-a"]},"throughputKBps":{"N":"5.81E-4"}
        """
    private static let key = #""TableName":"app","Key":{"leaseKey":{"S":"shardId-000000000000"}}"#

    private func client(with attributes: String = newLease) async throws -> TableClient {
        let client = try await TableClient.leases()
        try await client.call("PutItem", #"{"TableName":"app","Item":{\#(attributes)}}"#)
        return client
    }

    private func lease(_ client: TableClient) async throws -> Item {
        try #require(try await client.lease("shardId-000000000000"))
    }

    @Test("create: PutItem that expects no lease, and loses to the second creator")
    func create() async throws {
        let client = try await TableClient.leases()
        let request = #"{"TableName":"app","Item":{\#(Self.newLease)},"Expected":{"leaseKey":{"Exists":false}}}"#
        #expect(try await client.call("PutItem", request) == .object([]))
        #expect(try await lease(client)["throughputKBps"] == .number(DecimalNumber(parsing: "0.000581")))
        #expect(try await lease(client)["parentShardId"] == .stringSet(["shardId-a", "shardId-b"]))
        let error = await client.failure("PutItem", request)
        #expect(error.code == "ConditionalCheckFailedException")
        #expect(error.message == "The conditional request failed")
        #expect(error.extra.isEmpty)
    }

    @Test("assign: the leader gives an unowned lease to a worker and parses the whole item")
    func assign() async throws {
        let client = try await client(
            with: #""leaseKey":{"S":"shardId-000000000000"},"leaseCounter":{"N":"5"},"checkpoint":{"S":"LATEST"}"#
        )
        let request = """
            {\(Self.key),"AttributeUpdates":{"leaseOwner":{"Value":{"S":"w2"},"Action":"PUT"},
             "checkpointOwner":{"Action":"DELETE"},"leaseCounter":{"Value":{"N":"1"},"Action":"ADD"},
             "ownerSwitchesSinceCheckpoint":{"Value":{"N":"1"},"Action":"ADD"}},
             "Expected":{"leaseKey":{"Exists":true,"Value":{"S":"shardId-000000000000"}},
             "leaseOwner":{"Exists":false},"checkpointOwner":{"Exists":false}},
             "ReturnValues":"ALL_NEW","ReturnValuesOnConditionCheckFailure":"ALL_OLD"}
            """
        let answer = try await client.call("UpdateItem", request)
        let expected = try item(
            """
            {"leaseKey":{"S":"shardId-000000000000"},"leaseCounter":{"N":"6"},"checkpoint":{"S":"LATEST"},
             "leaseOwner":{"S":"w2"},"ownerSwitchesSinceCheckpoint":{"N":"1"}}
            """
        )
        #expect(try Item(json: try #require(answer["Attributes"])) == expected)
        let error = await client.failure("UpdateItem", request)
        #expect(error.code == "ConditionalCheckFailedException")
        #expect(try Item(json: try #require(error.extra.first { $0.name == "Item" }?.value)) == expected)
    }

    @Test("renew: the counter goes on while nobody drains, and a handoff is seen in the failure's item")
    func renew() async throws {
        let client = try await client()
        func renew(_ from: Int, checkOwner: Bool = true) -> String {
            """
            {\(Self.key),"AttributeUpdates":{"leaseCounter":{"Value":{"N":"\(from + 1)"},"Action":"PUT"},
             "throughputKBps":{"Value":{"N":"1.5E+3"},"Action":"PUT"}},
             "Expected":{"leaseCounter":{"Value":{"N":"\(from)"}}\(checkOwner ? #","checkpointOwner":{"Exists":false}"# : "")},
             "ReturnValuesOnConditionCheckFailure":"ALL_OLD"}
            """
        }
        #expect(try await client.call("UpdateItem", renew(5)) == .object([]))
        #expect(try await lease(client)["leaseCounter"] == .number(DecimalNumber(6)))
        #expect(try await lease(client)["throughputKBps"] == .number(DecimalNumber(1500)))
        #expect(await client.failure("UpdateItem", renew(5)).code == "ConditionalCheckFailedException")
        // The leader starts a handoff; the counter is not touched.
        let handoff = """
            {\(Self.key),"AttributeUpdates":{"leaseOwner":{"Value":{"S":"w2"},"Action":"PUT"},
             "checkpointOwner":{"Value":{"S":"w1"},"Action":"PUT"}},
             "Expected":{"leaseOwner":{"Value":{"S":"w1"}},"checkpointOwner":{"Exists":false},
             "leaseKey":{"Exists":true,"Value":{"S":"shardId-000000000000"}}},"ReturnValues":"ALL_NEW"}
            """
        let moved = try await client.call("UpdateItem", handoff)
        #expect(moved["Attributes"]?["leaseOwner"]?["S"] == .string("w2"))
        #expect(await client.failure("UpdateItem", handoff).code == "ConditionalCheckFailedException")
        let error = await client.failure("UpdateItem", renew(6))
        #expect(error.extra.first?.value["checkpointOwner"]?["S"] == .string("w1"))
        try await client.call("UpdateItem", renew(6, checkOwner: false))
        #expect(try await lease(client)["leaseCounter"] == .number(DecimalNumber(7)))
    }

    @Test("take: a worker takes an expired lease by its counter")
    func take() async throws {
        let client = try await client()
        let request = """
            {\(Self.key),"AttributeUpdates":{"leaseOwner":{"Value":{"S":"w9"},"Action":"PUT"},
             "leaseCounter":{"Value":{"N":"6"},"Action":"PUT"},"checkpointOwner":{"Action":"DELETE"},
             "ownerSwitchesSinceCheckpoint":{"Value":{"N":"1"},"Action":"ADD"}},
             "Expected":{"leaseCounter":{"Value":{"N":"5"}}}}
            """
        try await client.call("UpdateItem", request)
        let lease = try await lease(client)
        #expect(lease["leaseOwner"] == .string("w9"))
        #expect(lease["ownerSwitchesSinceCheckpoint"] == .number(DecimalNumber(2)))
        #expect(await client.failure("UpdateItem", request).code == "ConditionalCheckFailedException")
    }

    @Test("checkpoint: position and counter move together, pending fields go")
    func checkpoint() async throws {
        let client = try await client(
            with: Self.newLease + #","pendingCheckpoint":{"S":"1"},"pendingCheckpointState":{"B":"AQI="}"#
        )
        #expect(try await lease(client)["pendingCheckpointState"] == .binary([1, 2]))
        try await client.call(
            "UpdateItem",
            """
            {\(Self.key),"AttributeUpdates":{"leaseCounter":{"Value":{"N":"6"},"Action":"PUT"},
             "checkpoint":{"Value":{"S":"49590338271490256608559692538361571095921575989136588898"},"Action":"PUT"},
             "checkpointSubSequenceNumber":{"Value":{"N":"3"},"Action":"PUT"},
             "ownerSwitchesSinceCheckpoint":{"Value":{"N":"0"},"Action":"PUT"},
             "startingHashKey":{"Value":{"S":"0"},"Action":"PUT"},"endingHashKey":{"Value":{"S":"99"},"Action":"PUT"},
             "pendingCheckpoint":{"Action":"DELETE"},"pendingCheckpointSubSequenceNumber":{"Action":"DELETE"},
             "pendingCheckpointState":{"Action":"DELETE"}},"Expected":{"leaseCounter":{"Value":{"N":"5"}}}}
            """
        )
        let lease = try await lease(client)
        #expect(lease["checkpointSubSequenceNumber"] == .number(DecimalNumber(3)))
        #expect(lease["pendingCheckpoint"] == nil)
        #expect(lease["pendingCheckpointState"] == nil)
        #expect(lease["ownerSwitchesSinceCheckpoint"] == .number(.zero))
    }

    @Test("child shards: written to a lease that is there, never creating one")
    func childShards() async throws {
        let client = try await client()
        func request(_ key: String) -> String {
            """
            {"TableName":"app","Key":{"leaseKey":{"S":"\(key)"}},
             "AttributeUpdates":{"childShardIds":{"Value":{"SS":["shardId-2","shardId-1"]},"Action":"PUT"}},
             "Expected":{"leaseKey":{"Exists":true,"Value":{"S":"\(key)"}}}}
            """
        }
        try await client.call("UpdateItem", request("shardId-000000000000"))
        #expect(try await lease(client)["childShardIds"] == .stringSet(["shardId-1", "shardId-2"]))
        #expect(await client.failure("UpdateItem", request("missing")).code == "ConditionalCheckFailedException")
        #expect(try await client.lease("missing") == nil)
    }

    @Test("evict: takes the owner away and counts on")
    func evict() async throws {
        let client = try await client()
        let answer = try await client.call(
            "UpdateItem",
            """
            {\(Self.key),"AttributeUpdates":{"leaseOwner":{"Action":"DELETE"},"checkpointOwner":{"Action":"DELETE"},
             "leaseCounter":{"Value":{"N":"1"},"Action":"ADD"}},"ReturnValues":"ALL_NEW"}
            """
        )
        #expect(answer["Attributes"]?["leaseOwner"] == nil)
        #expect(answer["Attributes"]?["leaseCounter"]?["N"] == .string("6"))
    }

    @Test("delete: without a condition, also when it is gone already")
    func delete() async throws {
        let client = try await client()
        for _ in 0..<2 { #expect(try await client.call("DeleteItem", "{\(Self.key)}") == .object([])) }
        #expect(try await client.lease("shardId-000000000000") == nil)
    }

    @Test("an update of a missing item creates it with its key, and ADD starts at nothing")
    func upsert() async throws {
        let client = try await TableClient.leases()
        let answer = try await client.call(
            "UpdateItem",
            """
            {\(Self.key),"AttributeUpdates":{"leaseCounter":{"Value":{"N":"1"},"Action":"ADD"},
             "none":{"Action":"DELETE"}},"ReturnValues":"ALL_NEW"}
            """
        )
        #expect(
            try Item(json: try #require(answer["Attributes"]))
                == item(#"{"leaseKey":{"S":"shardId-000000000000"},"leaseCounter":{"N":"1"}}"#)
        )
    }

    @Test("the index of owners finds a worker's leases and answers their keys")
    func ownerIndex() async throws {
        let client = try await TableClient.leases()
        let answer = try await client.call(
            "UpdateTable",
            """
            {"TableName":"app","AttributeDefinitions":[{"AttributeName":"leaseOwner","AttributeType":"S"},
             {"AttributeName":"leaseKey","AttributeType":"S"}],"GlobalSecondaryIndexUpdates":[{"Create":
             {"IndexName":"LeaseOwnerToLeaseKeyIndex","KeySchema":[{"AttributeName":"leaseOwner","KeyType":"HASH"},
             {"AttributeName":"leaseKey","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}}]}
            """
        )
        let index = try #require(answer["TableDescription"]?["GlobalSecondaryIndexes"]?.array?.first)
        #expect(index["IndexStatus"] == .string("ACTIVE"))
        for number in 0..<9 {
            let owner = number == 8 ? "" : #","leaseOwner":{"S":"w\#(number % 2)"}"#
            try await client.call(
                "PutItem",
                #"{"TableName":"app","Item":{"leaseKey":{"S":"s\#(number)"},"leaseCounter":{"N":"1"}\#(owner)}}"#
            )
        }
        let query = """
            {"TableName":"app","IndexName":"LeaseOwnerToLeaseKeyIndex","KeyConditionExpression":
             "leaseOwner = :leaseOwner","ExpressionAttributeValues":{":leaseOwner":{"S":"w1"}}}
            """
        let page = try await client.call("Query", query)
        #expect(page["Count"]?.integer == 4)
        let keys = try (page["Items"]?.array ?? []).map { try Item(json: $0) }
        #expect(keys.map { $0["leaseKey"]?.string } == ["s1", "s3", "s5", "s7"])
        #expect(keys.allSatisfy { Set($0.keys) == ["leaseKey", "leaseOwner"] })
    }
}
