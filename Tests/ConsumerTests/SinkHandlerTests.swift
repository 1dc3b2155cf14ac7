import Foundation
import SinkFiles
import Synchronization
import Testing

@testable import Consumer

private let shard = ShardContext(stream: "s.x", shard: "shardId-000000000000")

private func record(_ index: Int) -> ConsumedRecord {
    ConsumedRecord(
        sequenceNumber: String(10_000 + index),
        partitionKey: "k",
        data: Array("line \(index)".utf8),
        arrivalMilliseconds: 1_700_000_000_000 + Int64(index) * 60_000
    )
}

private final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("sink-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var files: [String] {
        (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? [])
            .filter { ($0.hasSuffix(".log") || $0.hasSuffix(".jsonl")) && !$0.hasPrefix(".") }.sorted()
    }

    var lines: [String] {
        files.flatMap { file in
            (try? String(contentsOfFile: "\(path)/\(file)", encoding: .utf8))?.split(separator: "\n").map(String.init)
                ?? []
        }
    }

    func handlers(bytes: Int = 1 << 20, fault: SinkFault? = nil, clock: any WorkerClock = ManualClock()) -> SinkHandlers
    {
        var policy = SinkPolicy()
        policy.byteLimit = bytes
        policy.format = .raw
        return SinkHandlers(folder: SinkFolder(root: path, fault: fault), policy: policy, clock: clock)
    }
}

@Suite("The sink handler")
struct SinkHandlerTests {
    @Test("records are finished only when their file is, by size, by age or at the end")
    func rolling() async throws {
        let folder = Folder()
        let clock = ManualClock()
        let handler = try await folder.handlers(bytes: 30, clock: clock).begin(shard)
        #expect(try await handler.handle([record(0), record(1)]) == nil)
        #expect(folder.files.isEmpty)
        #expect(try await handler.handle((2..<6).map(record)) == "10004")
        clock.advance(.seconds(11))
        #expect(try await handler.lookAtTime() == "10005")
        #expect(try await handler.handle([record(6)]) == nil)
        #expect(try await handler.finish(.shardEnd) == "10006")
        #expect(
            folder.files == [
                "2023/11/14/22/s.x-shardId-000000000000-10000-10004.log",
                "2023/11/14/22/s.x-shardId-000000000000-10005-10005.log",
                "2023/11/14/22/s.x-shardId-000000000000-10006-10006.log",
            ]
        )
        #expect(folder.lines == (0..<7).map { "line \($0)" })
    }

    @Test("a second holder waits for the lock, so a robbed owner can't finish a file beside the new one")
    func locking() async throws {
        let folder = Folder()
        let first = try await folder.handlers().begin(shard)
        #expect(try await first.handle([record(0)]) == nil)
        await #expect(throws: FileError.self) { try await folder.handlers().begin(shard) }
        await first.abandon()
        #expect(folder.files.isEmpty)
        // A child process that is just being started elsewhere shares the lock until it runs its program: wait for real.
        let second = try await folder.handlers(clock: SystemWorkerClock()).begin(shard)
        #expect(try await second.handle([record(0)]) == nil)
        #expect(try await second.finish(.stopping) == "10000")
        #expect(folder.lines == ["line 0"])
    }

    @Test("dying at any step of a file, each record ends up in exactly one file", arguments: SinkStep.allCases)
    func crash(step: SinkStep) async throws {
        for occurrence in 1...8 {
            let folder = Folder()
            let count = Mutex(0)
            // Once the step is reached nothing works any more: the process is dead. It comes back without the fault.
            let fault: SinkFault = { current, _ in
                count.withLock { count in
                    if count >= occurrence { return EIO }
                    if current == step { count += 1 }
                    return count >= occurrence ? EIO : 0
                }
            }
            var checkpoint = -1
            for life in 0..<3 {
                let handlers = folder.handlers(bytes: 40, fault: life == 0 ? fault : nil)
                do {
                    let handler = try await handlers.begin(shard)
                    for start in stride(from: checkpoint + 1, to: 40, by: 7) {
                        let batch = (start..<min(40, start + 7)).map(record)
                        if let position = try await handler.handle(batch), let number = Int(position) {
                            checkpoint = number - 10_000
                        }
                    }
                    if let position = try await handler.finish(.stopping), let number = Int(position) {
                        checkpoint = number - 10_000
                    }
                } catch {
                    #expect(life == 0, "\(step) \(occurrence): \(error)")
                }
            }
            #expect(checkpoint == 39)
            #expect(folder.lines.sorted() == (0..<40).map { "line \($0)" }.sorted(), "\(step) \(occurrence)")
        }
    }

    @Test("dying between a finished file and its checkpoint, the next owner goes on behind the file", arguments: 0..<40)
    func crashBeforeCheckpoint(seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let folder = Folder()
        var checkpoint = -1
        var lives = 0
        while checkpoint < 99, lives < 500 {
            lives += 1
            let handler = try await folder.handlers(bytes: Int.random(in: 10...200, using: &random)).begin(shard)
            var at = checkpoint + 1
            while at < 100 {
                let end = min(100, at + Int.random(in: 1...20, using: &random))
                let position = try await handler.handle((at..<end).map(record))
                at = end
                // Now and then the process dies before the checkpoint is stored: the handler is dropped as it is.
                if Int.random(in: 0..<3, using: &random) == 0 { break }
                if let position, let number = Int(position) { checkpoint = number - 10_000 }
                if at == 100, let last = try await handler.finish(.shardEnd), let number = Int(last) {
                    checkpoint = number - 10_000
                }
            }
        }
        #expect(checkpoint == 99, "seed \(seed)")
        #expect(folder.lines.sorted() == (0..<100).map { "line \($0)" }.sorted(), "seed \(seed)")
    }
}
