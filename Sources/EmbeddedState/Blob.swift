import GRDB
import GRDBSQLite

import struct FoundationEssentials.Data

/// Bytes as SQLite stores them.
struct Blob: DatabaseValueConvertible, StatementColumnConvertible {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    init(_ text: String) { bytes = Array(text.utf8) }

    /// Reads a column straight from SQLite's memory.
    init?(sqliteStatement: SQLiteStatement, index: CInt) {
        let count = Int(sqlite3_column_bytes(sqliteStatement, index))
        guard count > 0, let start = sqlite3_column_blob(sqliteStatement, index) else {
            bytes = []
            return
        }
        bytes = Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    var databaseValue: DatabaseValue { Data(bytes).databaseValue }

    static func fromDatabaseValue(_ value: DatabaseValue) -> Blob? {
        switch value.storage {
        case .blob(let data): Blob(Array(data))
        case .null, .int64, .double, .string: nil
        }
    }
}
