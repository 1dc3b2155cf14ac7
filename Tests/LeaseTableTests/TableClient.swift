import AWSProtocol
import DynamoDBTypes
import LeaseTable
import StateStore
import Testing

/// Speaks to lease tables as a client does, in JSON.
struct TableClient: Sendable {
    var tables: LeaseTables
    var region = "us-east-1"

    init(_ store: any StateStore = MemoryStateStore()) {
        tables = LeaseTables(store: store, account: "000000000000", clock: { 1_700_000_000_123 })
    }

    @discardableResult
    func call(_ operation: String, _ json: String) async throws -> JSONValue {
        try JSONValue(parsing: try await tables.handle(operation: operation, region: region, body: Array(json.utf8)))
    }

    /// The error that a call must throw.
    func failure(_ operation: String, _ json: String, _ place: SourceLocation = #_sourceLocation) async -> AWSError {
        do {
            let answer = try await call(operation, json)
            Issue.record("no error but \(answer)", sourceLocation: place)
        } catch let error as AWSError {
            return error
        } catch {
            Issue.record("\(error)", sourceLocation: place)
        }
        return AWSError("none", "none")
    }

    /// A lease table with KCL's schema.
    static func leases(_ store: any StateStore = MemoryStateStore()) async throws -> TableClient {
        let client = TableClient(store)
        try await client.createLeases()
        return client
    }

    func createLeases(_ name: String = "app") async throws {
        try await call(
            "CreateTable",
            """
            {"TableName":"\(name)","KeySchema":[{"AttributeName":"leaseKey","KeyType":"HASH"}],
             "AttributeDefinitions":[{"AttributeName":"leaseKey","AttributeType":"S"}],
             "BillingMode":"PAY_PER_REQUEST","DeletionProtectionEnabled":false}
            """
        )
    }

    func lease(_ key: String) async throws -> Item? {
        let answer = try await call(
            "GetItem",
            #"{"TableName":"app","Key":{"leaseKey":{"S":"\#(key)"}},"ConsistentRead":false}"#
        )
        return try answer["Item"].map { try Item(json: $0) }
    }
}

/// An item in the wire form.
func item(_ json: String) throws -> Item { try Item(json: try JSONValue(parsing: json.utf8)) }
