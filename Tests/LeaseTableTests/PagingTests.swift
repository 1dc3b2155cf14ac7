import AWSProtocol
import DynamoDBTypes
import LeaseTable
import Testing

@Suite("Scans and queries")
struct PagingTests {
    /// A table with a range key, `items` to each of three hash keys, and an index by `group` and `rank`.
    private func ranged(_ items: Int = 10) async throws -> TableClient {
        let client = TableClient()
        try await client.call(
            "CreateTable",
            """
            {"TableName":"app","BillingMode":"PROVISIONED",
             "ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":6},
             "KeySchema":[{"AttributeName":"h","KeyType":"HASH"},{"AttributeName":"r","KeyType":"RANGE"}],
             "AttributeDefinitions":[{"AttributeName":"h","AttributeType":"S"},{"AttributeName":"r","AttributeType":"N"},
             {"AttributeName":"g","AttributeType":"S"},{"AttributeName":"rank","AttributeType":"S"}],
             "GlobalSecondaryIndexes":[{"IndexName":"byGroup","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},
             {"AttributeName":"rank","KeyType":"RANGE"}],"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["x"]},
             "ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}}]}
            """
        )
        for hash in ["a", "a/b", "a%"] {
            for number in 0..<items {
                try await client.call(
                    "PutItem",
                    """
                    {"TableName":"app","Item":{"h":{"S":"\(hash)"},"r":{"N":"\(number * 3 - 10)"},"g":{"S":"g"},
                     "rank":{"S":"\(number % 3)"},"x":{"S":"x"},"y":{"S":"y"}}}
                    """
                )
            }
        }
        return client
    }

    private func pages(_ client: TableClient, _ operation: String, _ members: String) async throws -> [[Item]] {
        var pages: [[Item]] = []
        var start = ""
        while true {
            let page = try await client.call(operation, #"{"TableName":"app",\#(members)\#(start)}"#)
            pages.append(try (page["Items"]?.array ?? []).map { try Item(json: $0) })
            guard let last = page["LastEvaluatedKey"] else { return pages }
            var writer = JSONWriter()
            writer.value(last)
            start = #","ExclusiveStartKey":"# + String(decoding: writer.bytes, as: UTF8.self)
            try #require(pages.count < 100)
        }
    }

    @Test("pages of a scan hold every item once, whatever the limit", arguments: [1, 7, 30, 31])
    func scanPages(_ limit: Int) async throws {
        let client = try await ranged()
        let pages = try await pages(client, "Scan", #""Limit":\#(limit)"#)
        #expect(pages.dropLast().allSatisfy { $0.count == limit })
        let keys = pages.joined().map { "\($0["h"]!)\($0["r"]!)" }
        #expect(keys.count == 30)
        #expect(Set(keys).count == 30)
    }

    @Test("segments of a scan partition the items, each with its own pages", arguments: [1, 3, 16])
    func segments(_ total: Int) async throws {
        let client = try await TableClient.leases()
        for number in 0..<200 {
            try await client.call("PutItem", #"{"TableName":"app","Item":{"leaseKey":{"S":"shardId-\#(number)"}}}"#)
        }
        var keys: [String] = []
        var sizes: [Int] = []
        for segment in 0..<total {
            let items = try await pages(client, "Scan", #""Limit":9,"Segment":\#(segment),"TotalSegments":\#(total)"#)
                .joined()
            sizes.append(items.count)
            keys += items.compactMap { $0["leaseKey"]?.string }
        }
        #expect(keys.count == 200)
        #expect(Set(keys).count == 200)
        #expect(sizes.allSatisfy { $0 > 0 })
    }

    @Test("a page ends at a mebibyte")
    func pageBytes() async throws {
        let client = try await TableClient.leases()
        let big = String(repeating: "x", count: 300 * 1024)
        for number in 0..<8 {
            try await client.call(
                "PutItem",
                #"{"TableName":"app","Item":{"leaseKey":{"S":"\#(number)"},"x":{"S":"\#(big)"}}}"#
            )
        }
        let pages = try await pages(client, "Scan", #""Select":"ALL_ATTRIBUTES""#)
        #expect(pages.map(\.count) == [4, 4, 0])
    }

    @Test("a query goes through its hash key in order of the range key, forwards and backwards")
    func query() async throws {
        let client = try await ranged()
        let head = #""KeyConditionExpression":"h = :h","ExpressionAttributeValues":{":h":{"S":"a"}},"Limit":4"#
        let forward = try await pages(client, "Query", head)
        #expect(forward.map(\.count) == [4, 4, 2])
        let ranks = forward.joined().compactMap { $0["r"]?.number?.description }
        let expected: [String] = (0..<10).map { (number: Int) -> String in "\(number * 3 - 10)" }
        #expect(ranks == expected)
        let backward = try await pages(client, "Query", head + #","ScanIndexForward":false"#)
        let reversed = backward.joined().compactMap { $0["r"]?.number?.description }
        #expect(reversed == Array(expected.reversed()))
    }

    @Test(
        "a query's range condition selects",
        arguments: [
            ("h = :h AND r = :x", 1), ("r = :x AND h = :h", 1), ("h = :h AND r < :x", 3), ("h = :h AND r <= :x", 4),
            ("h = :h AND :x < r", 6), ("h = :h AND r BETWEEN :x AND :y", 3), ("(h = :h) AND (r >= :x)", 7),
        ]
    )
    func ranges(_ expression: String, _ count: Int) async throws {
        let client = try await ranged()
        let upper = expression.contains(":y") ? #",":y":{"N":"5"}"# : ""
        let page = try await client.call(
            "Query",
            """
            {"TableName":"app","KeyConditionExpression":"\(expression)","Select":"COUNT",
             "ExpressionAttributeValues":{":h":{"S":"a/b"},":x":{"N":"-1"}\(upper)}}
            """
        )
        #expect(page["Count"]?.integer == Int64(count))
        #expect(page["Items"] == nil)
    }

    @Test("a query of an index goes by its range key and shows what it projects, over all pages")
    func indexQuery() async throws {
        let client = try await ranged()
        let pages = try await pages(
            client,
            "Query",
            #""IndexName":"byGroup","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"g"}},"Limit":7"#
        )
        let items = pages.joined()
        #expect(items.count == 30)
        #expect(Set(items.map { "\($0["h"]!)\($0["r"]!)" }).count == 30)
        let ranks = items.compactMap { $0["rank"]?.string }
        #expect(ranks == ranks.sorted())
        #expect(items.allSatisfy { Set($0.keys) == ["h", "r", "g", "rank", "x"] })
    }

    @Test("a filter takes items away behind the limit, and a projection keeps only what it names")
    func filterAndProjection() async throws {
        let client = try await ranged()
        let page = try await client.call(
            "Scan",
            """
            {"TableName":"app","Limit":30,"FilterExpression":"#rank = :one","ProjectionExpression":"h, #rank",
             "ExpressionAttributeNames":{"#rank":"rank"},"ExpressionAttributeValues":{":one":{"S":"1"}}}
            """
        )
        #expect(page["Count"]?.integer == 9)
        #expect(page["ScannedCount"]?.integer == 30)
        let items = try (page["Items"]?.array ?? []).map { try Item(json: $0) }
        #expect(items.allSatisfy { Set($0.keys) == ["h", "rank"] })
    }

    @Test("the legacy conditions of scans and queries work too")
    func legacy() async throws {
        let client = try await ranged()
        let query = try await client.call(
            "Query",
            """
            {"TableName":"app","KeyConditions":{"h":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]},
             "r":{"ComparisonOperator":"GT","AttributeValueList":[{"N":"0"}]}},"AttributesToGet":["r"]}
            """
        )
        #expect(query["Count"]?.integer == 6)
        let scan = try await client.call(
            "Scan",
            #"{"TableName":"app","ScanFilter":{"rank":{"ComparisonOperator":"IN","AttributeValueList":[{"S":"1"},{"S":"2"}]}}}"#
        )
        #expect(scan["Count"]?.integer == 18)
    }

    @Test(
        "faulty queries and scans are refused in AWS's words",
        arguments: [
            ("Query", #""KeyConditionExpression":"r = :v""#, "Query condition missed key schema element: h"),
            ("Query", #""KeyConditionExpression":"h < :s""#, "Query key condition not supported"),
            (
                "Query", #""KeyConditionExpression":"h = :s OR r = :v""#,
                "Invalid operator used in KeyConditionExpression: OR"
            ),
            (
                "Query", #""KeyConditionExpression":"h = :v""#,
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            ),
            (
                "Query", #""IndexName":"none","KeyConditionExpression":"h = :s""#,
                "The table does not have the specified index: none"
            ),
            ("Scan", #""ExclusiveStartKey":{"h":{"S":"a"}}"#, "The provided starting key is invalid"),
            (
                "Scan", #""Segment":3,"TotalSegments":3"#,
                "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
                    + "Segment: 3 is not less than TotalSegments: 3"
            ),
        ]
    )
    func faults(_ operation: String, _ members: String, _ message: String) async throws {
        let client = try await ranged(0)
        var values: [String] = []
        if members.contains(":v") { values.append(#"":v":{"N":"1"}"#) }
        if members.contains(":s") { values.append(#"":s":{"S":"a"}"#) }
        let all = values.isEmpty ? "" : #","ExpressionAttributeValues":{\#(values.joined(separator: ","))}"#
        let error = await client.failure(operation, #"{"TableName":"app",\#(members)\#(all)}"#)
        #expect(error.code == "ValidationException")
        #expect(error.message == message)
    }
}
