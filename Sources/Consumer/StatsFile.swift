import AWSProtocol
import Glibc

/// A small JSON file that shows a worker's progress to other programs; it is replaced whole.
public struct StatsFile: Sendable {
    /// The file's path.
    public let path: String

    /// Names a file.
    public init(path: String) { self.path = path }

    /// Writes `{"recordsHandled","batches","shardsOwned","millisBehindLatest","isLeader"}`. Throws ``FileError``.
    public func write(_ progress: WorkerProgress) throws {
        let bytes = jsonBytes { json in
            json.name("recordsHandled")
            json.integer(progress.recordsHandled)
            json.name("batches")
            json.integer(progress.batches)
            json.name("shardsOwned")
            json.integer(progress.shardsOwned)
            json.name("millisBehindLatest")
            json.integer(progress.millisBehindLatest)
            json.name("isLeader")
            json.bool(progress.isLeader)
        }
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError("open", temporary) }
        defer { close(descriptor) }
        try FileError.writeAll(bytes + [0x0A], to: descriptor, temporary)
        guard rename(temporary, path) == 0 else { throw FileError("replace", path) }
    }
}
