import AWSProtocol
import DynamoDBTypes
import StateStore

extension LeaseTables {
    func createTable(_ request: CreateTableRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        let table = TableDefinition(
            shape: request.shape,
            id: TableDefinition.newID(),
            createdMilliseconds: now()
        )
        let name = request.shape.name
        do {
            try await store.put(TableDefinition.key(region: region, name: name), table.bytes, if: .absent)
        } catch .conflict {
            throw .inUse("Table already exists: \(name)")
        } catch .unknown {
            guard try await definition(name, region)?.0.id == table.id else {
                throw Self.answer(.unknown("the table's definition"))
            }
        } catch {
            throw Self.answer(error)
        }
        return description(of: table, region, status: "ACTIVE").json("TableDescription")
    }

    func describeTable(_ request: TableNameRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        guard let (table, _) = try await definition(request.tableName, region) else {
            throw .notFound("Requested resource not found: Table: \(request.tableName) not found")
        }
        return try await counted(table, region).json("Table")
    }

    func updateTable(_ request: UpdateTableRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        while true {
            guard let (old, revision) = try await definition(request.tableName, region) else {
                throw .notFound("Requested resource not found: Table: \(request.tableName) not found")
            }
            var table = old
            table.shape = try request.apply(to: old.shape)
            do {
                let key = TableDefinition.key(region: region, name: request.tableName)
                try await store.put(key, table.bytes, if: .revision(revision))
            } catch .conflict {
                continue
            } catch {
                throw Self.answer(error)
            }
            return try await counted(table, region).json("TableDescription")
        }
    }

    /// Takes the definition away, then the rows. A marker written before lets the next DeleteTable of the region finish
    /// what a crash cut short.
    func deleteTable(_ request: TableNameRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        guard let (table, revision) = try await definition(request.tableName, region) else {
            throw .notFound("Requested resource not found: Table: \(request.tableName) not found")
        }
        guard !table.shape.isProtected else {
            throw .validation(
                "Resource cannot be deleted as it is currently protected against deletion. "
                    + "Disable deletion protection first."
            )
        }
        // Not counted: a row that can't be read must not keep its table.
        let answer = description(of: table, region, status: "DELETING")
        do {
            try await store.put(
                StateKey("tables-dropped", "\(region)/\(table.id)"),
                Array(table.shape.name.utf8),
                if: .none
            )
            try await store.delete(
                TableDefinition.key(region: region, name: request.tableName),
                if: .revision(revision)
            )
            try await sweepDropped(region)
        } catch .conflict {
            throw .inUse("Attempt to change a resource which is still in use: Table: \(request.tableName)")
        } catch {
            throw Self.answer(error)
        }
        return answer.json("TableDescription")
    }

    /// Removes the rows of tables whose definition is gone.
    private func sweepDropped(_ region: String) async throws(StateStoreError) {
        for marker in try await store.scan("tables-dropped", prefix: "\(region)/", after: nil, limit: 1000) {
            let id = String(marker.key.name.dropFirst(region.count + 1))
            let name = String(decoding: marker.value, as: UTF8.self)
            if let entry = try await store.get(TableDefinition.key(region: region, name: name)),
                try TableDefinition(entry).id == id
            {
                continue
            }
            while true {
                let rows = try await store.scan("table/\(region)/\(id)", prefix: "", after: nil, limit: 256)
                if rows.isEmpty { break }
                for row in rows { try await store.delete(row.key, if: .none) }
            }
            try await store.delete(marker.key, if: .none)
        }
    }

    func listTables(_ request: ListTablesRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        do {
            let entries = try await store.scan(
                "tables",
                prefix: "\(region)/",
                after: request.startName.map { "\(region)/\($0)" },
                limit: request.limit + 1
            )
            let names = entries.prefix(request.limit).map { String($0.key.name.dropFirst(region.count + 1)) }
            return ListTablesResponse(
                names: Array(names),
                lastName: entries.count > request.limit ? names.last : nil
            ).json()
        } catch {
            throw Self.answer(error)
        }
    }

    func updateTimeToLive(_ request: UpdateTimeToLiveRequest, _ region: String) async throws(AWSError) -> [UInt8] {
        _ = try await table(request.tableName, region)
        return request.json()
    }

    /// An answer that is the same for every table that exists.
    func answer(_ json: [UInt8], ifThere request: TableNameRequest, _ region: String) async throws(AWSError) -> [UInt8]
    {
        _ = try await table(request.tableName, region)
        return json
    }

    private func description(of table: TableDefinition, _ region: String, status: String) -> TableDescription {
        TableDescription(
            shape: table.shape,
            status: status,
            arn: "arn:aws:dynamodb:\(region):\(account):table/\(table.shape.name)",
            id: table.id,
            createdMilliseconds: table.createdMilliseconds
        )
    }

    /// The description with counts, which reads every item.
    private func counted(
        _ table: TableDefinition,
        _ region: String,
        status: String = "ACTIVE"
    ) async throws(AWSError) -> TableDescription {
        var description = description(of: table, region, status: status)
        try await forEachItem(table, region, prefix: "", after: nil) { _, item in
            let size = item.itemSize
            description.itemCount += 1
            description.sizeBytes += size
            for index in table.shape.indexes where index.holds(item, types: table.shape.attributeTypes) {
                let known = description.indexCounts[index.name] ?? (0, 0)
                description.indexCounts[index.name] = (known.items + 1, known.bytes + size)
            }
            return true
        }
        return description
    }
}
