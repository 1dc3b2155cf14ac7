import DiskIO
import Logging
import ShardLog
import Synchronization
import Testing

@testable import EmbeddedLog

@Suite("a sync that failed")
struct FailedSyncTests {
    /// Calls back once, before a file whose path has a word in it is written.
    private final class WatchedDisk: Disk {
        typealias Callback = (word: String, body: @Sendable () -> Void)
        let disk: SimulatedDisk
        let next = Mutex<Callback?>(nil)

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

        func willWrite(_ path: String) {
            let due = next.withLock { next -> Callback? in
                guard let found = next, path.contains(found.word) else { return nil }
                next = nil
                return found
            }
            due?.body()
        }
    }

    private final class WatchedFile: DiskFile {
        let file: any DiskFile
        let disk: WatchedDisk
        init(_ file: any DiskFile, _ disk: WatchedDisk) { (self.file, self.disk) = (file, disk) }
        var path: String { file.path }
        func size() throws(DiskError) -> UInt64 { try file.size() }
        func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64) throws(DiskError) {
            disk.willWrite(path)
            try file.write(pieces, at: offset)
        }
        func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
            try file.read(into: bytes, at: offset)
        }
        func sync() throws(DiskError) { try file.sync() }
        func syncAll() throws(DiskError) { try file.syncAll() }
        func writeOut(waits: Bool) throws(DiskError) { try file.writeOut(waits: waits) }
        func truncate(to size: UInt64) throws(DiskError) { try file.truncate(to: size) }
        func lock() throws(DiskError) -> Bool { try file.lock() }
    }

    /// The system tells of an error once. Here the settler is told, between a commit's write and its sync.
    @Test("that somebody else was told of fails the commit, too", arguments: ["settler's wait", "settler's sync"])
    func toldOnce(who: String) throws {
        let disk = SimulatedDisk(seed: 1)
        let watched = WatchedDisk(disk)
        var configuration = EmbeddedLog.Configuration()
        configuration.syncThreads = 0
        configuration.directBytes = 1
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let log = try EmbeddedLog.open(
            directory: "/log",
            disk: watched,
            configuration: configuration,
            logger: logger
        )
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
        watched.next.withLock { next in
            next = (
                "s-1/1/",
                {
                    disk.setFaults(SimulatedDisk.Faults(sync: 1))
                    #expect(throws: DiskError.self) {
                        try first.files.withLock { files throws(DiskError) in
                            if who == "settler's wait" {
                                try first.waitForWriting(&files)
                            } else {
                                try first.sync(&files)
                            }
                        }
                    }
                    disk.setFaults(SimulatedDisk.Faults())
                }
            )
        }
        while log.thread.turn() {}
        #expect(watched.next.withLock { $0 == nil })
        #expect(outcomes.withLock { $0 } == [0: false, 1: true])
    }
}
