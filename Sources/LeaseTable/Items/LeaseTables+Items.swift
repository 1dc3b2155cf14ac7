import AWSProtocol
import DynamoDBTypes
import StateStore

extension LeaseTables {
    func getItem(_ request: GetItemRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        let table = try await table(request.tableName, region)
        try table.shape.check(key: request.key)
        let row = ItemKey(table.shape.keys, in: request.key)
        do {
            guard let entry = try await store.get(StateKey(table.namespace(region: region), row.rowName)) else {
                return GetItemResponse(item: nil).json()
            }
            let item = try ItemRow(entry).item
            return GetItemResponse(item: request.projection.map { $0.apply(to: item) } ?? item).json()
        } catch {
            throw Self.answer(error)
        }
    }

    func putItem(_ request: PutItemRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        let table = try await table(request.tableName, region)
        try table.shape.check(item: request.item, isUpdate: false)
        let written = try await write(table, region, key: request.item, if: request.condition, isRepeatable: true) {
            _ in request.item
        }
        return WriteItemResponse(attributes: request.returnValues == .allOld ? written.old : nil).json()
    }

    func deleteItem(_ request: DeleteItemRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        let table = try await table(request.tableName, region)
        try table.shape.check(key: request.key)
        let written = try await write(table, region, key: request.key, if: request.condition, isRepeatable: true) { _ in
            nil
        }
        return WriteItemResponse(attributes: request.returnValues == .allOld ? written.old : nil).json()
    }

    func updateItem(_ request: UpdateItemRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        let table = try await table(request.tableName, region)
        try table.shape.check(key: request.key)
        try table.shape.check(update: request.update)
        let written = try await write(table, region, key: request.key, if: request.condition, isRepeatable: false) {
            (old) throws(AWSError) in
            let new = try request.update.applied(to: old ?? request.key)
            try table.shape.check(item: new, isUpdate: true)
            return new
        }
        let touched = Projection(request.update.actions.map(\.path))
        let attributes: Item? =
            switch request.returnValues {
            case .none: nil
            case .allOld: written.old
            case .allNew: written.new
            case .updatedOld: written.old.map(touched.apply).flatMap { $0.isEmpty ? nil : $0 }
            case .updatedNew: written.new.map(touched.apply).flatMap { $0.isEmpty ? nil : $0 }
            }
        return WriteItemResponse(attributes: attributes).json()
    }

    /// The item before and after a write, nil for none.
    struct Written: Sendable {
        var old: Item?
        var new: Item?
    }

    /// How often a write that keeps losing its race is tried. Each loss is another write's success.
    private static let attempts = 2000

    /// Judges the condition and writes what `change` makes of the item (nil takes it away), as one step. `isRepeatable`
    /// says that the outcome does not depend on the item that was there.
    private func write(
        _ table: TableDefinition,
        _ region: String,
        key: Item,
        if condition: WriteCondition,
        isRepeatable: Bool,
        _ change: (Item?) throws(AWSError) -> Item?
    ) async throws(AWSError) -> Written {
        let rowName = ItemKey(table.shape.keys, in: key).rowName
        var attempt = ItemWrite(store: store, key: StateKey(table.namespace(region: region), rowName))
        for _ in 0..<Self.attempts {
            do {
                let old = try await attempt.read()
                if let landed = attempt.landed { return landed }
                if let expected = condition.condition, !expected.holds(for: old ?? [:]) {
                    // What we wrote may have landed and been overwritten since; only the client can judge that.
                    if attempt.isUncertain { throw StateStoreError.unknown("the item has changed since") }
                    throw Self.conditionFailed(old, condition)
                }
                if attempt.isUncertain, attempt.hasChanged, condition.condition != nil || !isRepeatable {
                    throw StateStoreError.unknown("the item has changed since")
                }
                let new = try change(old)
                if new == old { return Written(old: old, new: new) }
                if try await attempt.write(new) { return Written(old: old, new: new) }
            } catch let error as AWSError {
                throw error
            } catch let error as StateStoreError {
                throw Self.answer(error)
            } catch {
                throw .internalFailure
            }
            await Task.yield()
        }
        throw Self.answer(.conflict(current: nil))
    }

    private static func conditionFailed(_ item: Item?, _ condition: WriteCondition) -> AWSError {
        var error = AWSError("ConditionalCheckFailedException", "The conditional request failed")
        if condition.returnsItemOnFailure, let item { error.extra = [JSONValue.Member("Item", item.json)] }
        return error
    }
}

/// One item's write over several attempts. It remembers the attempts whose outcome the store could not tell, and finds out
/// by reading whether one of them landed.
struct ItemWrite {
    private let store: any StateStore
    private let key: StateKey
    private var entry: StateEntry?
    private var old: Item?
    /// The attempts that may have landed, by nonce.
    private var uncertain: [UInt64: LeaseTables.Written] = [:]
    private var uncertainRevision: Revision?
    /// The attempt that turned out to have landed.
    private(set) var landed: LeaseTables.Written?

    init(store: any StateStore, key: StateKey) {
        self.store = store
        self.key = key
    }

    /// Whether the outcome of an earlier attempt is not known.
    var isUncertain: Bool { !uncertain.isEmpty }

    /// Whether the row is not the one that the uncertain attempt was made on.
    var hasChanged: Bool { entry?.revision != uncertainRevision }

    /// Reads the item.
    mutating func read() async throws(StateStoreError) -> Item? {
        entry = try await store.get(key)
        guard let entry else {
            old = nil
            return nil
        }
        let row = try ItemRow(entry)
        landed = uncertain[row.nonce]
        old = row.item
        return old
    }

    /// Writes if the row is still the one read; false asks for another attempt.
    mutating func write(_ item: Item?) async throws(StateStoreError) -> Bool {
        let precondition = entry.map { StatePrecondition.revision($0.revision) } ?? .absent
        let nonce = UInt64.random(in: .min ... .max)
        do {
            if let item {
                try await store.put(key, ItemRow(item: item, nonce: nonce).bytes, if: precondition)
            } else {
                try await store.delete(key, if: precondition)
            }
            return true
        } catch .conflict {
            return false
        } catch .unknown {
            uncertain[nonce] = LeaseTables.Written(old: old, new: item)
            uncertainRevision = entry?.revision
            return false
        }
    }
}
