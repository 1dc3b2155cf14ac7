import DiskIO
import Logging
import ShardLog
import Synchronization

@testable import EmbeddedLog

/// Calls back before a file is written, before it is synced, and when its writes begin or cease to pass the cache.
final class WatchedDisk: Disk {
    let disk: SimulatedDisk
    let callback = Mutex<(@Sendable (String) -> Void)?>(nil)

    init(_ disk: SimulatedDisk) { self.disk = disk }

    func open(_ path: String, _ access: DiskAccess) throws(DiskError) -> any DiskFile {
        WatchedFile(try disk.open(path, access), self)
    }
    func makeFolder(_ path: String) throws(DiskError) -> Bool { try disk.makeFolder(path) }
    func list(_ path: String) throws(DiskError) -> [String] { try disk.list(path) }
    func exists(_ path: String) -> Bool { disk.exists(path) }
    func syncFolder(_ path: String) throws(DiskError) { try disk.syncFolder(path) }
    func move(_ from: String, to: String) throws(DiskError) { try disk.move(from, to: to) }
    func remove(_ path: String) throws(DiskError) { try disk.remove(path) }
    func removeFolder(_ path: String) throws(DiskError) { try disk.removeFolder(path) }
    func freeBytes(_ path: String) throws(DiskError) -> UInt64 { try disk.freeBytes(path) }
    func removeEmptyFolder(_ path: String) throws(DiskError) -> Bool { try disk.removeEmptyFolder(path) }

    func will(_ what: String, _ path: String) { callback.withLock { $0 }?(what + " " + path) }
}

final class WatchedFile: DiskFile {
    let file: any DiskFile
    let disk: WatchedDisk
    init(_ file: any DiskFile, _ disk: WatchedDisk) { (self.file, self.disk) = (file, disk) }
    var path: String { file.path }
    func size() throws(DiskError) -> UInt64 { try file.size() }
    func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64) throws(DiskError) {
        disk.will("write", path)
        try file.write(pieces, at: offset)
    }
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
        try file.read(into: bytes, at: offset)
    }
    func sync() throws(DiskError) {
        disk.will("sync", path)
        try file.sync()
    }
    func syncAll() throws(DiskError) { try file.syncAll() }
    func writeOut(waits: Bool) throws(DiskError) { try file.writeOut(waits: waits) }
    func passCache(_ passes: Bool) { disk.will(passes ? "pass" : "cache", path) }
    func truncate(to size: UInt64) throws(DiskError) { try file.truncate(to: size) }
    func lock() throws(DiskError) -> Bool { try file.lock() }
}

extension EmbeddedLog {
    /// A log without threads of its own.
    static func withoutThreads(
        _ disk: any Disk,
        directory: String = "/log",
        _ change: (inout EmbeddedLog.Configuration) -> Void
    ) throws -> EmbeddedLog {
        var configuration = EmbeddedLog.Configuration()
        configuration.syncThreads = 0
        change(&configuration)
        return try EmbeddedLog.open(
            directory: directory,
            disk: disk,
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// Opens an appender, and hands it on when there is one.
    func addAppender(_ folder: ShardFolder, _ body: @escaping @Sendable (EmbeddedAppender) -> Void) {
        thread.add(
            LogRequest(
                folder,
                .open(expecting: nil) { result in
                    guard case .success(let outcome) = result else { return }
                    body(EmbeddedAppender(shard: folder, owner: outcome.owner, tail: outcome.tail, thread: self.thread))
                }
            )
        )
    }
}
