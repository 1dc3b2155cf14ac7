import GRDB
import StateStore

/// How SQLite's result codes read as the seam's errors.
enum StateErrors {
    /// Maps an error of reading, opening, or of a transaction that was rolled back before its commit.
    static func beforeCommit(_ error: any Error, path: String) -> StateStoreError {
        guard let error = error as? DatabaseError else {
            return .unavailable("the state database \(path) failed: \(error)", retryAfter: .seconds(1))
        }
        let detail = error.message ?? error.resultCode.description
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return .corrupt("the state database \(path) is damaged (\(detail)); restore it from a backup")
        case .SQLITE_FULL:
            return .unavailable(
                "no space left for the state database \(path); free space, writing then goes on by itself",
                retryAfter: .seconds(1)
            )
        case .SQLITE_IOERR:
            return .unavailable(
                "the disk under the state database \(path) fails (\(detail), code \(error.extendedResultCode.rawValue)); "
                    + "check the disk and its free space",
                retryAfter: .seconds(1)
            )
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
            return .unavailable(
                "the state database \(path) can't be opened for writing (\(detail)); "
                    + "check that its folder exists and belongs to this user",
                retryAfter: .seconds(1)
            )
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return .unavailable(
                "the state database \(path) is locked by another process (\(detail)); end that process",
                retryAfter: .milliseconds(100)
            )
        default:
            return .unavailable("the state database \(path) failed (\(detail))", retryAfter: .seconds(1))
        }
    }

    /// Maps an error of the commit itself. A full disk cuts the commit record short, which recovery discards; after a
    /// failed write or sync nobody knows what the disk holds.
    static func duringCommit(_ error: any Error, path: String) -> StateStoreError {
        let mapped = beforeCommit(error, path: path)
        guard let error = error as? DatabaseError, error.resultCode == .SQLITE_IOERR else { return mapped }
        return .unknown("the commit to the state database \(path) failed: \(error.message ?? "I/O error")")
    }
}
