import AWSProtocol
import DynamoDBTypes
import StateStore

extension LeaseTables {
    /// Rows read from the store at once.
    private static let rows = 256

    func scan(_ request: ScanRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        let table = try await table(request.page.tableName, region)
        let index = try index(request.page.indexName, of: table)
        let start = try startRow(request.page.startKey, table, index)
        if let start, ItemKey.segment(ofRow: start, of: request.totalSegments) != request.segment {
            throw .validation(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
                    + "correct Segment. TotalSegments: \(request.totalSegments) Segment: \(request.segment)"
            )
        }
        var page = PageBuilder(request.page, table: table.shape, index: index)
        try await forEachItem(table, region, prefix: "", after: start) { row, item in
            if request.totalSegments > 1, ItemKey.segment(ofRow: row, of: request.totalSegments) != request.segment {
                return true
            }
            if let index, !index.holds(item, types: table.shape.attributeTypes) { return true }
            return page.add(item)
        }
        return page.response.json()
    }

    /// A query of the table reads its hash key's rows. A query of an index reads the whole table and sorts what fits:
    /// indexes cost nothing to keep and O(items of the table) to ask, which suits tables with a row for each shard.
    func query(_ request: QueryRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        let table = try await table(request.page.tableName, region)
        let index = try index(request.page.indexName, of: table)
        let keys = index?.keys ?? table.shape.keys
        let condition = try KeyCondition(request.keyCondition, keys: keys, types: table.shape.attributeTypes)
        let start = try startRow(request.page.startKey, table, index)
        var found: [Candidate] = []
        let hash = ItemKey.hashText(condition.hash)
        let prefix = index == nil ? (keys.range == nil ? hash : hash + "/") : ""
        try await forEachItem(table, region, prefix: prefix, after: nil) { row, item in
            if let index, !index.holds(item, types: table.shape.attributeTypes) { return true }
            if condition.holds(for: item, keys: keys) {
                found.append(Candidate(row: row, range: keys.range.flatMap { item[$0] }, item: item))
            }
            return true
        }
        found.sort()
        if !request.isForward { found.reverse() }
        if let start, let key = request.page.startKey {
            let last = Candidate(row: start, range: keys.range.flatMap { key[$0] }, item: key)
            found.removeAll { request.isForward ? !(last < $0) : !($0 < last) }
        }
        var page = PageBuilder(request.page, table: table.shape, index: index)
        for candidate in found where !page.add(candidate.item) { break }
        return page.response.json()
    }

    /// An item in a query's order: by range key, then by row.
    private struct Candidate: Comparable {
        var row: String
        var range: AttributeValue?
        var item: Item

        static func < (lhs: Candidate, rhs: Candidate) -> Bool {
            if let left = lhs.range, let right = rhs.range, left != right {
                return AttributeValue.isLess(left, than: right) ?? false
            }
            return lhs.row.utf8.lexicographicallyPrecedes(rhs.row.utf8)
        }

        static func == (lhs: Candidate, rhs: Candidate) -> Bool { lhs.range == rhs.range && lhs.row == rhs.row }
    }

    private func index(_ name: String?, of table: TableDefinition) throws(AWSError) -> SecondaryIndex? {
        guard let name else { return nil }
        guard let index = table.shape.indexes.first(where: { $0.name == name }) else {
            throw .validation("The table does not have the specified index: \(name)")
        }
        return index
    }

    /// The row that a page starts behind.
    private func startRow(
        _ key: Item?,
        _ table: TableDefinition,
        _ index: SecondaryIndex?
    ) throws(AWSError) -> String? {
        guard let key else { return nil }
        let names = Set(table.shape.keys.names + (index?.keys.names ?? []))
        guard names == Set(key.keys), names.allSatisfy({ key[$0]?.type == table.shape.attributeTypes[$0] }) else {
            throw .validation("The provided starting key is invalid")
        }
        return ItemKey(table.shape.keys, in: key).rowName
    }

    /// Reads rows in order until `body` says false.
    func forEachItem(
        _ table: TableDefinition,
        _ region: String,
        prefix: String,
        after start: String?,
        _ body: (String, Item) -> Bool
    ) async throws(AWSError) {
        let namespace = table.namespace(region: region)
        var after = start
        do {
            while true {
                let entries = try await store.scan(namespace, prefix: prefix, after: after, limit: Self.rows)
                for entry in entries {
                    guard body(entry.key.name, try ItemRow(entry).item) else { return }
                }
                guard entries.count == Self.rows, let last = entries.last else { return }
                after = last.key.name
            }
        } catch {
            throw Self.answer(error)
        }
    }
}
