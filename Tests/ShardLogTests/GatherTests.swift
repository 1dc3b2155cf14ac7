import DiskIO
import Glibc
import Logging
import ShardLog
import Testing

@testable import EmbeddedLog

@Suite("appends to several shards that are asked for together", .timeLimit(.minutes(1)))
struct GatherTests {
    private func withAppenders(
        _ count: Int,
        patience: Duration,
        _ body: (EmbeddedLog, [any ShardAppender], _ groups: () throws -> Int) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var configuration = EmbeddedLog.Configuration()
        configuration.patience = patience
        let directory = folder.path + "/log"
        let log = try EmbeddedLog.open(
            directory: directory,
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        var appenders: [any ShardAppender] = []
        for index in 0..<count {
            let shard = ShardRef(stream: "s-1", index: UInt32(index))
            try log.create(shard)
            appenders.append(try await log.openAppender(shard, expecting: nil))
        }
        try await body(log, appenders) {
            // Each group is written, and synced, by itself.
            try Journal.generations(directory, on: POSIXDisk()).reduce(0) { sum, generation in
                sum + (try Journal.read(directory, generation, on: POSIXDisk())?.groups.count ?? 0)
            }
        }
        await log.close()
    }

    @Test("share a sync, however slowly their caller goes on")
    func shared() async throws {
        try await withAppenders(8, patience: .seconds(60)) { log, appenders, groups in
            for _ in 0..<10 { try await append(to: appenders, of: log) { usleep(5_000) } }
            // The thread may have looked just before one of them began.
            #expect(try groups() < 13)
        }
    }

    @Test("keep nobody waiting for longer than the log's patience")
    func impatient() async throws {
        try await withAppenders(2, patience: .milliseconds(1)) { log, appenders, groups in
            let stored = Signal()
            // The caller goes on when what it asked for first is stored.
            try await append(to: appenders, of: log, completed: { stored.raise() }, pause: { stored.wait() })
            #expect(try groups() == 2)
        }
    }

    /// Appends a frame to each, with a pause behind the first one; returns when all are stored.
    private func append(
        to appenders: [any ShardAppender],
        of log: EmbeddedLog,
        completed: @escaping @Sendable () -> Void = {},
        pause: @escaping @Sendable () -> Void
    ) async throws {
        let results = AsyncStream.makeStream(of: Result<[Position], ShardLogError>.self)
        LogThread.start {
            log.together {
                for (index, appender) in appenders.enumerated() {
                    appender.append([frame(index)]) { result in
                        results.continuation.yield(result)
                        completed()
                    }
                    if index == 0 { pause() }
                }
            }
        }
        var missing = appenders.count
        for await result in results.stream {
            _ = try result.get()
            missing -= 1
            if missing == 0 { return }
        }
    }
}
