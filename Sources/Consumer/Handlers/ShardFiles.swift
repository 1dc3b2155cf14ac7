import Glibc
import SinkFiles

/// The finished files of one shard: their names, and finding them again.
struct ShardFiles: Sendable {
    let folder: SinkFolder
    /// `<stream>-<shardId>`
    let name: String
    let owner: String
    let format: SinkPolicy.Format

    private var suffix: String { format == .jsonl ? ".jsonl" : ".log" }

    /// Starts a file; its name is known when it is finished.
    func open() throws(SinkError) -> SinkWriter {
        try folder.open(owner: owner)
    }

    /// Syncs a file and moves it to its name.
    func finalize(_ writer: SinkWriter, first: ConsumedRecord, last: String) throws(SinkError) {
        let path = try SinkPath("\(hour(first))/\(name)-\(first.sequenceNumber)-\(last)\(suffix)")
        try folder.finalize(writer.prepare(as: path))
    }

    /// The last sequence number of the finished file that begins with this record; nil when there is none. The file's
    /// entry in its folder is made durable before it is relied on.
    func finished(startingAt record: ConsumedRecord) throws -> String? {
        let hour = hour(record)
        let prefix = "\(name)-\(record.sequenceNumber)-"
        for entry in try entries("\(folder.root)/\(hour)") where entry.hasPrefix(prefix) && entry.hasSuffix(suffix) {
            let last = String(entry.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count))
            guard case .sequence(let number) = Checkpoint(last) else { continue }
            let path = try SinkPath("\(hour)/\(entry)")
            let file = PendingFile(temporary: "\(owner).none", final: path, byteCount: 0)
            if try folder.recover(file) { return number }
        }
        return nil
    }

    private func hour(_ record: ConsumedRecord) -> String {
        let time = CivilTime(milliseconds: record.arrivalMilliseconds)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(time.year)/\(two(time.month))/\(two(time.day))/\(two(time.hour))"
    }

    private func entries(_ path: String) throws(FileError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw FileError("list", path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            // nil is the end or an error, and errno alone tells.
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { throw FileError("list", path) }
                return names
            }
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
                }
            )
        }
    }
}
