import FileTail
import GRDB
import JournalTail

/// The statements behind `CheckpointStore`.
enum CheckpointTables {
    static let version = 2

    static func prepare(_ db: Database) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found <= version else {
            throw AgentError("it has format \(found), and this program knows \(version): update the program")
        }
        if found == 1 {
            try db.execute(
                sql: "ALTER TABLE files ADD COLUMN real_path TEXT NOT NULL DEFAULT ''; PRAGMA user_version = 2"
            )
        }
        guard found == 0 else { return }
        try db.execute(
            sql: """
                CREATE TABLE flows(id TEXT PRIMARY KEY) WITHOUT ROWID;
                CREATE TABLE endpoints(
                    flow TEXT NOT NULL, url TEXT NOT NULL, is_millrace INTEGER NOT NULL, PRIMARY KEY (flow, url)) WITHOUT ROWID;
                CREATE TABLE files(
                    flow TEXT NOT NULL, source INTEGER NOT NULL, path TEXT NOT NULL, device INTEGER NOT NULL,
                    inode INTEGER NOT NULL, birth INTEGER NOT NULL, prefix_length INTEGER NOT NULL,
                    prefix_hash INTEGER NOT NULL, tail_offset INTEGER NOT NULL, tail_hash INTEGER NOT NULL,
                    offset INTEGER NOT NULL, sequence INTEGER NOT NULL, cuts TEXT NOT NULL, is_rotated INTEGER NOT NULL,
                    is_finished INTEGER NOT NULL, last_seen INTEGER NOT NULL, first_path TEXT NOT NULL,
                    known_size INTEGER NOT NULL, real_path TEXT NOT NULL,
                    PRIMARY KEY (flow, source)) WITHOUT ROWID;
                CREATE TABLE journals(
                    flow TEXT NOT NULL, source INTEGER NOT NULL, seqnum_id TEXT NOT NULL, sequence INTEGER NOT NULL,
                    cursor TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (flow, source)) WITHOUT ROWID;
                PRAGMA user_version = \(version);
                """
        )
    }

    private static func bits(_ number: UInt64) -> Int64 { Int64(bitPattern: number) }

    // MARK: - Files

    /// `known` are the rows that are there; nil when that has to be looked up.
    static func replaceFiles(
        _ db: Database,
        flow: String,
        known: [FileCheckpoint]?,
        with files: [FileCheckpoint]
    ) throws {
        let known = try known ?? Self.files(db, "WHERE flow = ?", [flow])
        var left = Dictionary(known.map { ($0.source, $0) }, uniquingKeysWith: { $1 })
        for file in files where left.removeValue(forKey: file.source) != file {
            try put(db, flow, file)
        }
        for source in left.keys {
            try db.execute(
                sql: "DELETE FROM files WHERE flow = ? AND source = ?",
                arguments: [flow, bits(source.rawValue)]
            )
        }
    }

    private static func put(_ db: Database, _ flow: String, _ file: FileCheckpoint) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO files(flow, source, path, device, inode, birth, prefix_length, prefix_hash, tail_offset,
                    tail_hash, offset, sequence, cuts, is_rotated, is_finished, last_seen, first_path, known_size, real_path)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        let cuts = file.cuts.map(String.init).joined(separator: " ")
        let values: [(any DatabaseValueConvertible)?] = [
            flow, bits(file.source.rawValue), file.path, bits(file.device), bits(file.inode), file.birthNanoseconds,
            file.fingerprint.prefixLength, bits(file.fingerprint.prefixHash), file.fingerprint.tailOffset,
            bits(file.fingerprint.tailHash), file.offset, file.sequence, cuts, file.isRotated, file.isFinished,
            file.lastSeenMilliseconds, file.firstPath, file.knownSize, file.realPath,
        ]
        try statement.execute(arguments: StatementArguments(values))
    }

    static func files(_ db: Database, _ condition: String, _ arguments: StatementArguments) throws -> [FileCheckpoint] {
        try filesWithFlows(db, condition, arguments).map(\.file)
    }

    static func filesWithFlows(
        _ db: Database,
        _ condition: String,
        _ arguments: StatementArguments
    ) throws -> [(flow: String, file: FileCheckpoint)] {
        try Row.fetchAll(db, sql: "SELECT * FROM files " + condition, arguments: arguments).map { row in
            func number(_ column: String) -> UInt64 { UInt64(bitPattern: row[column] as Int64) }
            let cuts: String = row["cuts"]
            let file = FileCheckpoint(
                source: SourceID(rawValue: number("source")),
                path: row["path"],
                firstPath: row["first_path"],
                // A file of an older version is read as it is by `shipped-up-to`.
                realPath: row.hasColumn("real_path") ? row["real_path"] : "",
                device: number("device"),
                inode: number("inode"),
                birthNanoseconds: row["birth"],
                fingerprint: Fingerprint(
                    prefixLength: row["prefix_length"],
                    prefixHash: number("prefix_hash"),
                    tailOffset: row["tail_offset"],
                    tailHash: number("tail_hash")
                ),
                offset: row["offset"],
                sequence: row["sequence"],
                cuts: cuts.split(separator: " ").compactMap { Int64($0) },
                isRotated: row["is_rotated"],
                isFinished: row["is_finished"],
                knownSize: row["known_size"],
                lastSeenMilliseconds: row["last_seen"]
            )
            return (row["flow"], file)
        }
    }

    // MARK: - Journals

    static func replaceJournals(_ db: Database, flow: String, with journals: [JournalCheckpoint]) throws {
        try db.execute(sql: "DELETE FROM journals WHERE flow = ?", arguments: [flow])
        for journal in journals {
            try db.execute(
                sql:
                    "INSERT INTO journals(flow, source, seqnum_id, sequence, cursor, number) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    flow, bits(journal.source), journal.seqnumID, journal.sequence, journal.cursor, journal.order,
                ]
            )
        }
    }

    static func journals(_ db: Database, flow: String) throws -> [JournalCheckpoint] {
        try Row.fetchAll(db, sql: "SELECT * FROM journals WHERE flow = ?", arguments: [flow]).map { row in
            JournalCheckpoint(
                source: UInt64(bitPattern: row["source"] as Int64),
                seqnumID: row["seqnum_id"],
                sequence: row["sequence"],
                cursor: row["cursor"],
                order: row["number"]
            )
        }
    }
}
