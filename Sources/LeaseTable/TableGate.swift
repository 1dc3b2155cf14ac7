import AWSProtocol
import AccessPolicy
import DynamoDBTypes

/// The gate of every operation on tables: lets a request pass when its caller's policies allow it.
struct TableGate {
    let tables: LeaseTables
    let operation: String
    let region: String
    let caller: Caller?

    /// Returns the request, or throws `AccessDeniedException`. A refusal comes before anything is told of the table.
    func pass<Request: TableOperation>(_ request: Request) async throws(AWSError) -> Request {
        guard let caller, !caller.isUnrestricted(in: tables.account) else { return request }
        let requestTags = request.requestTags
        // Making a table with tags needs the right to tag it too.
        for action in requestTags.isEmpty ? [operation] : [operation, "TagResource"] {
            let tags = try await tags(of: request.policyTable)
            try caller.require(
                "dynamodb:\(action)",
                on: "arn:aws:dynamodb:\(region):\(tables.account):table/\(request.policyTable)",
                account: tables.account,
                tags: tags,
                requestTags: requestTags
            )
        }
        return request
    }

    private func tags(of path: String) async throws(AWSError) -> [TagPair] {
        let name = String(path.prefix { $0 != "/" })
        return try await tables.definition(name, region)?.0.shape.tags.map { TagPair($0.key, $0.value) } ?? []
    }
}

/// An operation as policies see it.
protocol TableOperation: Sendable {
    /// The end of the ARN it is about: `NAME`, `NAME/index/INDEX`, `*` for all tables.
    var policyTable: String { get }
    /// Tags that the request holds.
    var requestTags: [TagPair] { get }
}

extension TableOperation {
    var requestTags: [TagPair] { [] }
}

extension GetItemRequest: TableOperation { var policyTable: String { tableName } }
extension PutItemRequest: TableOperation { var policyTable: String { tableName } }
extension UpdateItemRequest: TableOperation { var policyTable: String { tableName } }
extension DeleteItemRequest: TableOperation { var policyTable: String { tableName } }
extension QueryRequest: TableOperation { var policyTable: String { page.policyTable } }
extension ScanRequest: TableOperation { var policyTable: String { page.policyTable } }
extension TableNameRequest: TableOperation { var policyTable: String { tableName } }
extension UpdateTableRequest: TableOperation { var policyTable: String { tableName } }
extension UpdateTimeToLiveRequest: TableOperation { var policyTable: String { tableName } }
extension ListTablesRequest: TableOperation { var policyTable: String { "*" } }
extension CreateTableRequest: TableOperation {
    var policyTable: String { shape.name }
    var requestTags: [TagPair] { shape.tags.map { TagPair($0.key, $0.value) } }
}

extension PageRequest {
    fileprivate var policyTable: String { indexName.map { "\(tableName)/index/\($0)" } ?? tableName }
}
