import FileTail
import GRDB
import Glibc

/// How far one file is shipped: what log rotation wants to know before it removes or compresses it.
public struct ShippedFile: Sendable, Equatable {
    /// The offset up to which everything is confirmed by every flow that reads the file; 0 when none does.
    public var offset: Int64
    /// The file's size.
    public var size: Int64

    /// Whether all of it is shipped.
    public var isComplete: Bool { offset >= size && isKnown }

    /// Whether any flow knows the file.
    public var isKnown: Bool

    /// Looks a file up, by its inode, in a state folder, whether its agent runs or not.
    /// Throws when the file or the checkpoints can't be read.
    public init(path: String, stateFolder: String) throws(AgentError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw AgentError("can't find \(path): \(SystemText.describe(errno))")
        }
        size = Int64(status.st_size)
        let database = "\(stateFolder)/\(CheckpointStore.fileName)"
        guard access(database, R_OK) == 0 else {
            throw AgentError(
                "can't read \(database): \(SystemText.describe(errno)); has an agent run with this state folder, and may this "
                    + "user read it?"
            )
        }
        let (device, inode) = (Int64(bitPattern: UInt64(status.st_dev)), Int64(bitPattern: UInt64(status.st_ino)))
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            let rows = try DatabaseQueue(path: database, configuration: configuration).read { db in
                try CheckpointTables.filesWithFlows(
                    db,
                    """
                    WHERE device = ? AND inode = ? ORDER BY flow, is_rotated, last_seen DESC
                    """,
                    [device, inode]
                )
            }
            // Of each flow's generations on this inode the first one is the present one. When the file does not hold what
            // it shipped, it was truncated or replaced since, and nothing of it is known.
            var isFound = false
            var offsets: [String: Int64] = [:]
            for (flow, file) in rows where offsets[flow] == nil {
                let isPresent = file.offset <= size && file.isContent(ofFile: path)
                offsets[flow] = isPresent ? file.offset : 0
                isFound = isFound || isPresent
            }
            isKnown = isFound
            offset = offsets.values.min() ?? 0
        } catch {
            throw AgentError("can't read \(database): \(error)")
        }
    }
}
