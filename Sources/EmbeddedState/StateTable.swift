import GRDB
import StateStore

/// The statements over the one table of a state database. `Format` in this target's documentation draws it.
enum StateTable {
    /// Version of the format, kept in `PRAGMA user_version`.
    static let formatVersion = 1
    /// `Mill`: tells a state database from any other SQLite file.
    static let applicationID = 0x4D69_6C6C

    /// Creates the tables in a new file; refuses a file of another program or of a later version.
    static func prepare(_ db: Database) throws {
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM sqlite_master") ?? 0
        if application == 0, version == 0, tables == 0 {
            try db.execute(
                sql: """
                    PRAGMA application_id = \(applicationID);
                    PRAGMA user_version = \(formatVersion);
                    CREATE TABLE state (
                        id INTEGER PRIMARY KEY,
                        namespace BLOB NOT NULL,
                        name BLOB NOT NULL,
                        revision INTEGER NOT NULL,
                        checksum INTEGER NOT NULL,
                        value BLOB NOT NULL,
                        UNIQUE (namespace, name)
                    );
                    CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER NOT NULL);
                    INSERT INTO counter (id, revision) VALUES (0, 0);
                    """
            )
            return
        }
        guard application == applicationID else {
            throw DatabaseError(resultCode: .SQLITE_NOTADB, message: "the file belongs to another program")
        }
        guard version == formatVersion else {
            throw DatabaseError(
                resultCode: .SQLITE_CANTOPEN,
                message: "the file has format \(version), this program reads format \(formatVersion)"
            )
        }
    }

    /// The highest revision ever given.
    static func lastRevision(_ db: Database) throws -> UInt64 {
        guard let revision = try Int64.fetchOne(db, sql: "SELECT revision FROM counter"), revision >= 0 else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "the revision counter is missing")
        }
        return UInt64(revision)
    }

    static func setLastRevision(_ db: Database, _ revision: UInt64) throws {
        try db.cachedStatement(sql: "UPDATE counter SET revision = ?").execute(arguments: [Int64(revision)])
    }

    static func revision(_ db: Database, _ key: StateKey) throws -> Revision? {
        let statement = try db.cachedStatement(sql: "SELECT revision FROM state WHERE namespace = ? AND name = ?")
        let number = try Int64.fetchOne(statement, arguments: [Blob(key.namespace), Blob(key.name)])
        return number.map { Revision(rawValue: UInt64(bitPattern: $0)) }
    }

    static func get(_ db: Database, _ key: StateKey) throws -> StateEntry? {
        let statement = try db.cachedStatement(
            sql: "SELECT name, revision, checksum, value FROM state WHERE namespace = ? AND name = ?"
        )
        let rows = try Row.fetchCursor(statement, arguments: [Blob(key.namespace), Blob(key.name)])
        return try rows.next().map { try entry($0, namespace: key.namespace) }
    }

    static func put(_ db: Database, _ entry: StateEntry) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO state (namespace, name, revision, checksum, value) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (namespace, name) DO UPDATE
                SET revision = excluded.revision, checksum = excluded.checksum, value = excluded.value
                """
        )
        try statement.execute(arguments: [
            Blob(entry.key.namespace), Blob(entry.key.name), Int64(entry.revision.rawValue), checksum(entry),
            Blob(entry.value),
        ])
    }

    static func delete(_ db: Database, _ key: StateKey) throws {
        let statement = try db.cachedStatement(sql: "DELETE FROM state WHERE namespace = ? AND name = ?")
        try statement.execute(arguments: [Blob(key.namespace), Blob(key.name)])
    }

    static func scan(
        _ db: Database,
        _ namespace: String,
        prefix: String,
        after: String?,
        limit: Int
    ) throws -> [StateEntry] {
        let prefix = Array(prefix.utf8)
        var lower = prefix
        if let after {
            // The smallest name above `after`.
            let successor = Array(after.utf8) + [0]
            if lower.lexicographicallyPrecedes(successor) { lower = successor }
        }
        // UTF-8 has no byte 0xFF, so the last byte can be raised.
        var upper = prefix
        if let last = upper.popLast() { upper.append(last + 1) } else { upper = [0xFF] }
        let statement = try db.cachedStatement(
            sql: """
                SELECT name, revision, checksum, value FROM state
                WHERE namespace = ? AND name >= ? AND name < ? ORDER BY name LIMIT ?
                """
        )
        let rows = try Row.fetchCursor(
            statement,
            arguments: [Blob(namespace), Blob(lower), Blob(upper), max(0, limit)]
        )
        var found: [StateEntry] = []
        while let row = try rows.next() { found.append(try entry(row, namespace: namespace)) }
        return found
    }

    private static func entry(_ row: Row, namespace: String) throws -> StateEntry {
        let name: Blob = row[0]
        let revision: Int64 = row[1]
        let stored: Int64 = row[2]
        let value: Blob = row[3]
        let entry = StateEntry(
            key: StateKey(namespace, String(decoding: name.bytes, as: UTF8.self)),
            value: value.bytes,
            revision: Revision(rawValue: UInt64(bitPattern: revision))
        )
        guard checksum(entry) == stored else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "checksum of \(entry.key) does not match")
        }
        return entry
    }

    /// FNV-1a over 64 bits of namespace, name, revision and value: SQLite itself keeps no checksum of its pages.
    static func checksum(_ entry: StateEntry) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        for byte in entry.key.namespace.utf8 { add(byte) }
        add(0xFF)
        for byte in entry.key.name.utf8 { add(byte) }
        add(0xFF)
        for shift in stride(from: 0, to: 64, by: 8) {
            add(UInt8(truncatingIfNeeded: entry.revision.rawValue >> UInt64(shift)))
        }
        for byte in entry.value { add(byte) }
        return Int64(bitPattern: hash)
    }
}
