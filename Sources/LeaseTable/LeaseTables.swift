import AWSProtocol
import AccessPolicy
import DynamoDBTypes
import Glibc
import StateStore

/// DynamoDB tables as consumers of streams need them for leases, checkpoints and leader election, over a state store.
///
/// A table's definition is one row, each item is one row. A condition and its write are one step: the write is a
/// compare-and-set on the revision that the condition was judged on, tried again when another write came first. Every read
/// sees every write that has returned. Costs: operations on an item are two reads and at most one write, `Scan`, queries
/// of an index and `DescribeTable` (which counts) read the whole table.
public final class LeaseTables: Sendable {
    let store: any StateStore
    let account: String
    let now: @Sendable () -> Int64

    /// Tables of one account. `clock` tells milliseconds since 1970.
    public init(
        store: any StateStore,
        account: String,
        clock: @escaping @Sendable () -> Int64 = LeaseTables.systemMilliseconds
    ) {
        self.store = store
        self.account = account
        now = clock
    }

    /// The system's clock, in milliseconds since 1970.
    @Sendable public static func systemMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Carries out one operation of `DynamoDB_20120810` on a request's JSON and returns the answer's. Throws DynamoDB's
    /// errors, `UnknownOperationException` for operations outside the subset, `AccessDeniedException` where the caller's
    /// policies don't allow it; without a caller everything is allowed.
    public func handle(
        operation: String,
        region: String,
        body: [UInt8],
        caller: Caller? = nil
    ) async throws(AWSError) -> [UInt8] {
        let gate = TableGate(tables: self, operation: operation, region: region, caller: caller)
        return switch operation {
        case "GetItem": try await getItem(gate.pass(GetItemRequest(body: body)), region)
        case "PutItem": try await putItem(gate.pass(PutItemRequest(body: body)), region)
        case "UpdateItem": try await updateItem(gate.pass(UpdateItemRequest(body: body)), region)
        case "DeleteItem": try await deleteItem(gate.pass(DeleteItemRequest(body: body)), region)
        case "Query": try await query(gate.pass(QueryRequest(body: body)), region)
        case "Scan": try await scan(gate.pass(ScanRequest(body: body)), region)
        case "CreateTable": try await createTable(gate.pass(CreateTableRequest(body: body)), region)
        case "DescribeTable": try await describeTable(gate.pass(TableNameRequest(body: body)), region)
        case "UpdateTable": try await updateTable(gate.pass(UpdateTableRequest(body: body)), region)
        case "DeleteTable": try await deleteTable(gate.pass(TableNameRequest(body: body)), region)
        case "ListTables": try await listTables(gate.pass(ListTablesRequest(body: body)), region)
        case "UpdateTimeToLive": try await updateTimeToLive(gate.pass(UpdateTimeToLiveRequest(body: body)), region)
        case "DescribeTimeToLive":
            try await answer(
                DescribeTimeToLiveResponse.json(),
                ifThere: gate.pass(TableNameRequest(body: body)),
                region
            )
        case "UpdateContinuousBackups", "DescribeContinuousBackups":
            try await answer(
                ContinuousBackupsResponse.json(),
                ifThere: gate.pass(TableNameRequest(body: body)),
                region
            )
        default: throw AWSError("UnknownOperationException", "The operation \(operation) is not supported.")
        }
    }

    /// The table, or DynamoDB's words for a missing one in operations on items.
    func table(_ name: String, _ region: String) async throws(AWSError) -> TableDefinition {
        guard let (table, _) = try await definition(name, region) else {
            throw .notFound("Requested resource not found")
        }
        return table
    }

    func definition(_ name: String, _ region: String) async throws(AWSError) -> (TableDefinition, Revision)? {
        do {
            guard let entry = try await store.get(TableDefinition.key(region: region, name: name)) else { return nil }
            return (try TableDefinition(entry), entry.revision)
        } catch {
            throw Self.answer(error)
        }
    }

    /// How a store's failure is answered: clients of DynamoDB try statuses of 500 and above again.
    static func answer(_ error: StateStoreError) -> AWSError {
        switch error {
        case .unavailable(let cause, _): .unavailable("The table store is not available now: \(cause)")
        case .unknown:
            AWSError("InternalServerError", "The outcome of the write is not known; read the item.", status: 500)
        case .conflict: AWSError("InternalServerError", "The item is written to too often.", status: 500)
        case .tooLarge: .validation("Item size has exceeded the maximum allowed size")
        case .corrupt: AWSError("InternalServerError", "The stored item is damaged and is not served.", status: 500)
        }
    }
}
