import AWSProtocol
import DynamoDBTypes
import LeaseTable
import StateStore
import Testing

@Suite("Racing writers of an item")
struct RaceTests {
    @Test("one of twelve wins each round of a conditional write")
    func oneWinner() async throws {
        let client = try await TableClient.leases()
        try await client.call("PutItem", #"{"TableName":"app","Item":{"leaseKey":{"S":"k"},"leaseCounter":{"N":"0"}}}"#)
        for round in 0..<25 {
            let winners = try await withThrowingTaskGroup(of: String?.self) { group in
                for writer in 0..<12 {
                    group.addTask {
                        do {
                            try await client.call(
                                "UpdateItem",
                                """
                                {"TableName":"app","Key":{"leaseKey":{"S":"k"}},"AttributeUpdates":
                                 {"leaseOwner":{"Value":{"S":"w\(writer)"}},"leaseCounter":{"Value":{"N":"\(round + 1)"}}},
                                 "Expected":{"leaseCounter":{"Value":{"N":"\(round)"}}}}
                                """
                            )
                            return "w\(writer)"
                        } catch let error as AWSError where error.code == "ConditionalCheckFailedException" {
                            return nil
                        }
                    }
                }
                return try await group.reduce(into: [String]()) { if let winner = $1 { $0.append(winner) } }
            }
            #expect(winners.count == 1)
            #expect(try await client.lease("k")?["leaseOwner"]?.string == winners.first)
        }
    }

    @Test("no unconditional addition is lost")
    func additions() async throws {
        let client = try await TableClient.leases()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    for _ in 0..<50 {
                        try await client.call(
                            "UpdateItem",
                            """
                            {"TableName":"app","Key":{"leaseKey":{"S":"k"}},"UpdateExpression":"ADD n :one",
                             "ExpressionAttributeValues":{":one":{"N":"1"}}}
                            """
                        )
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await client.lease("k")?["n"] == .number(DecimalNumber(600)))
    }

    @Test("a store that loses answers makes no addition twice and none unheard", arguments: 1...10)
    func lostAnswers(_ seed: Int) async throws {
        let store = FaultyStateStore(MemoryStateStore(), seed: UInt64(seed), rates: .init())
        let client = try await TableClient.leases(store)
        store.setRates(.init(unknownApplied: 0.15, unknownNotApplied: 0.15, delay: 0.1, longestDelay: .milliseconds(1)))
        let (sure, unsure) = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var sure = 0
                    var unsure = 0
                    for _ in 0..<40 {
                        do {
                            try await client.call(
                                "UpdateItem",
                                """
                                {"TableName":"app","Key":{"leaseKey":{"S":"k"}},"UpdateExpression":"ADD n :one",
                                 "ExpressionAttributeValues":{":one":{"N":"1"}}}
                                """
                            )
                            sure += 1
                        } catch let error as AWSError where error.status == 500 {
                            unsure += 1
                        }
                    }
                    return (sure, unsure)
                }
            }
            return try await group.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
        }
        store.setRates(.init())
        let total = Int(try #require(try await client.lease("k")?["n"]?.number?.description))
        #expect(sure + unsure == 160)
        #expect(try #require(total) >= sure)
        #expect(try #require(total) <= sure + unsure)
        #expect(store.injectedErrors > 0)
    }

    @Test("a store that is away is answered as a server's error, which clients retry")
    func away() async throws {
        let store = FaultyStateStore(MemoryStateStore(), seed: 1, rates: .init())
        let client = try await TableClient.leases(store)
        store.setRates(.init(unavailable: 1))
        let error = await client.failure("PutItem", #"{"TableName":"app","Item":{"leaseKey":{"S":"k"}}}"#)
        #expect(error.status == 503)
        store.setRates(.init())
        try await client.call("PutItem", #"{"TableName":"app","Item":{"leaseKey":{"S":"k"}}}"#)
    }
}
