import FileTail
import GRDB
import Glibc
import JournalTail
import Synchronization

/// The checkpoints of all flows, in one SQLite file. What was saved survives a power cut.
///
/// `checkpoints.sqlite` (WAL, user_version 2):
///
///     flows     id
///     endpoints flow, url | is_millrace
///     files     flow, source | path device inode birth | prefix_length prefix_hash tail_offset tail_hash
///               | offset sequence cuts | is_rotated is_finished last_seen first_path
///               known_size real_path
///     journals  flow, source | seqnum_id sequence cursor number
///
/// Numbers of 64 bits without a sign are kept by their bits; `cuts` is decimal numbers with blanks between.
final class CheckpointStore: CheckpointSaving {
    /// The file's name in the state folder.
    static let fileName = "checkpoints.sqlite"

    private let path: String
    private let queue: DatabaseQueue
    private let saved = Mutex<[String: SourceCheckpoints]>([:])

    /// Opens or creates the file in the state folder, which must exist.
    init(folder: String) throws(AgentError) {
        path = "\(folder)/\(Self.fileName)"
        do {
            var configuration = Configuration()
            configuration.label = "millrace.agent.checkpoints"
            configuration.busyMode = .timeout(5)
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            }
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.write { db in try CheckpointTables.prepare(db) }
        } catch {
            throw Self.failure("can't open", path, error)
        }
        FolderSync.sync(folder)
    }

    /// Whether this flow was saved before, even without any source.
    func isKnown(flow: String) throws(AgentError) -> Bool {
        try read { db in
            try Bool.fetchOne(db, sql: "SELECT count(*) > 0 FROM flows WHERE id = ?", arguments: [flow]) ?? false
        }
    }

    /// What was saved of a flow's files.
    func files(of flow: String) throws(AgentError) -> [FileCheckpoint] {
        try read { db in try CheckpointTables.files(db, "WHERE flow = ?", [flow]) }
    }

    /// What was saved of a flow's journal.
    func journals(of flow: String) throws(AgentError) -> [JournalCheckpoint] {
        try read { db in try CheckpointTables.journals(db, flow: flow) }
    }

    func save(_ checkpoints: SourceCheckpoints, flow: String) throws(AgentError) {
        let before = saved.withLock { $0[flow] }
        guard before != checkpoints else { return }
        do {
            try queue.write { db in
                try db.execute(sql: "INSERT INTO flows(id) VALUES (?) ON CONFLICT DO NOTHING", arguments: [flow])
                switch checkpoints {
                case .files(let files):
                    var known: [FileCheckpoint]?
                    if case .files(let list) = before { known = list }
                    try CheckpointTables.replaceFiles(db, flow: flow, known: known, with: files)
                case .journal(let journals): try CheckpointTables.replaceJournals(db, flow: flow, with: journals)
                }
            }
        } catch {
            // Which rows are there is read from the file at the next time.
            saved.withLock { $0[flow] = nil }
            throw Self.failure("can't write", path, error)
        }
        saved.withLock { $0[flow] = checkpoints }
    }

    /// Whether a collector that drops repetitions was found behind this URL before.
    func isMillrace(flow: String, endpoint: String) throws(AgentError) -> Bool {
        try read { db in
            try Bool.fetchOne(
                db,
                sql: "SELECT is_millrace FROM endpoints WHERE flow = ? AND url = ?",
                arguments: [flow, endpoint]
            ) ?? false
        }
    }

    /// Keeps who was found behind a URL.
    func setEndpoint(_ endpoint: String, isMillrace: Bool, flow: String) throws(AgentError) {
        do {
            try queue.write { db in
                try db.execute(
                    sql: """
                        INSERT INTO endpoints(flow, url, is_millrace) VALUES (?, ?, ?)
                        ON CONFLICT DO UPDATE SET is_millrace = excluded.is_millrace
                        """,
                    arguments: [flow, endpoint, isMillrace]
                )
            }
        } catch {
            throw Self.failure("can't write", path, error)
        }
    }

    /// Moves everything into the main file and closes it.
    func close() throws(AgentError) {
        do { try queue.close() } catch { throw Self.failure("can't close", path, error) }
    }

    private func read<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) throws(AgentError) -> Value {
        do { return try queue.read(body) } catch { throw Self.failure("can't read", path, error) }
    }

    private static func failure(_ what: String, _ path: String, _ error: any Error) -> AgentError {
        let advice =
            switch (error as? DatabaseError)?.resultCode {
            case .SQLITE_FULL?: "free some space; it is tried again"
            case .SQLITE_CANTOPEN?, .SQLITE_READONLY?, .SQLITE_PERM?:
                "check that the folder belongs to this user and is writable"
            case .SQLITE_CORRUPT?, .SQLITE_NOTADB?:
                "restore it from a backup, or remove it: the flows then start at their initialPosition"
            case .SQLITE_BUSY?: "another process holds it; end that process"
            default: "check the disk and the folder's permissions"
            }
        return AgentError("\(what) \(path): \(error); \(advice)")
    }
}

/// Makes a folder's entries durable.
enum FolderSync {
    /// Folders that cannot be synced are left as they are: some file systems have no such operation.
    static func sync(_ folder: String) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        Glibc.close(descriptor)
    }
}
