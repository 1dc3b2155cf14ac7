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
    @Test("leaves no frame in memory for ever: what its file has taken makes room for others, once it is synced")
    func memory() throws {
        let disk = SimulatedDisk(seed: 1)
        let log = try EmbeddedLog.withoutThreads(disk) { $0.memoryBytes = 0 }
        let shard = ShardRef(stream: "s-1", index: 0)
        try log.create(shard)
        let folder = try log.find(shard)
        log.addAppender(folder) { $0.append([frame(1)]) { _ in } }
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
        let log = try EmbeddedLog.withoutThreads(watched) { $0.directBytes = 1 }
        let shards = (0..<2).map { ShardRef(stream: "s-1", index: UInt32($0)) }
        let outcomes = Mutex<[UInt32: Bool]>([:])
        for shard in shards {
            try log.create(shard)
            log.addAppender(try log.find(shard)) { appender in
                appender.append([frame(1, bytes: 100)]) { result in
                    let isDone = (try? result.get()) != nil
                    outcomes.withLock { $0[shard.index] = isDone }
                }
            }
        }
        let first = try log.find(shards[0])
        let seen = Mutex<[String]>([])
        let other = DispatchSemaphore(value: 0)
        watched.callback.withLock { callback in
            callback = { call in
                guard call.contains("s-1/0/"), call.hasPrefix("write") || call.hasPrefix("sync") else { return }
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
