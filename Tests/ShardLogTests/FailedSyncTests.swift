import DiskIO
import Dispatch
import Foundation
import Logging
import ShardLog
import Synchronization
import Testing

@testable import EmbeddedLog

@Suite("a sync that failed")
struct FailedSyncTests {
    /// Calls back before a file is written and before it is synced.
    private final class WatchedDisk: Disk {
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

    private final class WatchedFile: DiskFile {
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
        func truncate(to size: UInt64) throws(DiskError) { try file.truncate(to: size) }
        func lock() throws(DiskError) -> Bool { try file.lock() }
    }

    /// A log without threads of its own.
    private func open(_ disk: any Disk, _ change: (inout EmbeddedLog.Configuration) -> Void) throws -> EmbeddedLog {
        var configuration = EmbeddedLog.Configuration()
        configuration.syncThreads = 0
        change(&configuration)
        return try EmbeddedLog.open(
            directory: "/log",
            disk: disk,
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    @Test("leaves no frame in memory for ever: what its file has taken makes room for others, once it is synced")
    func memory() throws {
        let disk = SimulatedDisk(seed: 1)
        let log = try open(disk) { $0.memoryBytes = 0 }
        let shard = ShardRef(stream: "s-1", index: 0)
        try log.create(shard)
        let folder = try log.find(shard)
        log.thread.add(
            LogRequest(
                folder,
                .open(expecting: nil) { result in
                    guard case .success(let outcome) = result else { return }
                    EmbeddedAppender(shard: folder, owner: outcome.owner, tail: outcome.tail, thread: log.thread)
                        .append([frame(1)]) { _ in }
                }
            )
        )
        while log.thread.turn() {}
        #expect(folder.ifLoaded { $0.recent.unapplied.count } == 1)
        disk.setFaults(SimulatedDisk.Faults(sync: 1))
        log.finish()
        #expect(folder.ifLoaded { $0.recent.unapplied.count } == 0)
        disk.setFaults(SimulatedDisk.Faults())
        log.finish()
        #expect(folder.ifLoaded { $0.recent.first == nil } == true)
    }

    /// The system tells of an error once: whoever else synced the file in between would be told, and not the commit.
    @Test("is told to the commit whose frames it loses: nobody else gets at a file between its write and its sync")
    func alone() throws {
        let disk = SimulatedDisk(seed: 1)
        let watched = WatchedDisk(disk)
        let log = try open(watched) { $0.directBytes = 1 }
        let shards = (0..<2).map { ShardRef(stream: "s-1", index: UInt32($0)) }
        let outcomes = Mutex<[UInt32: Bool]>([:])
        for shard in shards {
            try log.create(shard)
            let folder = try log.find(shard)
            log.thread.add(
                LogRequest(
                    folder,
                    .open(expecting: nil) { result in
                        guard case .success(let outcome) = result else { return }
                        let appender = EmbeddedAppender(
                            shard: folder,
                            owner: outcome.owner,
                            tail: outcome.tail,
                            thread: log.thread
                        )
                        appender.append([frame(1, bytes: 100)]) { result in
                            if case .success = result {
                                outcomes.withLock { $0[shard.index] = true }
                            } else {
                                outcomes.withLock { $0[shard.index] = false }
                            }
                        }
                    }
                )
            )
        }
        let first = try log.find(shards[0])
        let seen = Mutex<[String]>([])
        let other = DispatchSemaphore(value: 0)
        watched.callback.withLock { callback in
            callback = { call in
                guard call.contains("s-1/0/") else { return }
                let count = seen.withLock { seen in
                    seen.append(String(call.prefix { $0 != " " }))
                    return seen.count
                }
                // The segment's header is written, now its first frame: whoever wants the file from here on waits for the sync.
                guard count == 2 else { return }
                Thread.detachNewThread {
                    first.files.withLock { _ in seen.withLock { $0.append("other") } }
                    other.signal()
                }
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
        log.thread.turn()
        disk.setFaults(SimulatedDisk.Faults(sync: 1))
        log.thread.turn()
        disk.setFaults(SimulatedDisk.Faults())
        while log.thread.turn() {}
        other.wait()
        #expect(seen.withLock { $0.prefix(3) } == ["write", "write", "sync"], "the header, the frame, the sync")
        #expect(outcomes.withLock { $0 } == [0: false, 1: false])
    }
}
