import DynamoDBTypes

/// Fills one page of a scan or a query: counts, filters and projects items until a limit is reached.
struct PageBuilder {
    /// DynamoDB's limit of a page, in bytes.
    static let byteLimit = 1 << 20

    private let request: PageRequest
    private let index: SecondaryIndex?
    private let keys: KeySchema
    private var items: [Item] = []
    private var count = 0
    private var scanned = 0
    private var bytes = 0
    private var lastKey: Item?

    init(_ request: PageRequest, table: TableShape, index: SecondaryIndex?) {
        self.request = request
        self.index = index
        keys = table.keys
    }

    /// Takes one item; false when the page is full behind it.
    mutating func add(_ whole: Item) -> Bool {
        let item = shown(whole)
        scanned += 1
        bytes += item.itemSize
        if request.filter?.holds(for: item) ?? true {
            count += 1
            if !request.isCount { items.append(request.projection.map { $0.apply(to: item) } ?? item) }
        }
        guard scanned == request.limit || bytes >= Self.byteLimit else { return true }
        let names = Set(keys.names + (index?.keys.names ?? []))
        lastKey = whole.filter { names.contains($0.key) }
        return false
    }

    /// What the index shows of an item.
    private func shown(_ item: Item) -> Item {
        guard let index, index.projectionType != "ALL" else { return item }
        let names = Set(keys.names + index.keys.names + index.included)
        return item.filter { names.contains($0.key) }
    }

    /// The page.
    var response: PageResponse {
        PageResponse(items: request.isCount ? nil : items, count: count, scannedCount: scanned, lastKey: lastKey)
    }
}

extension SecondaryIndex {
    /// Whether an item stands in the index: it has the index's key attributes, of the right types.
    func holds(_ item: Item, types: [String: String]) -> Bool {
        keys.names.allSatisfy { item[$0] != nil && item[$0]?.type == types[$0] }
    }
}
