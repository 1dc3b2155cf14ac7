import EmbeddedLog
import Logging
import RecordBatch
import ShardLog
import Testing

/// The engines that must pass the contract.
enum Engine: CaseIterable, Sendable {
    case memory, embedded, delayed

    func open(_ folder: TemporaryFolder) throws -> any ShardLog {
        switch self {
        case .memory: MemoryShardLog()
        case .embedded: try folder.open()
        case .delayed:
            FaultyShardLog(MemoryShardLog(), seed: 1, rates: .init(delay: 0.3, longestDelay: .milliseconds(1)))
        }
    }
}

@Suite("the contract of a shard log", .serialized, .timeLimit(.minutes(5)))
struct ContractTests {
    private let shard = ShardRef(stream: "s-1", index: 0)

    private func with(_ engine: Engine, _ body: (any ShardLog) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let log = try engine.open(folder)
        try await body(log)
        if let log = log as? EmbeddedLog { await log.close() }
    }

    @Test("frames come back in order, with the positions that were acknowledged", arguments: Engine.allCases)
    func order(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            let appender = try await log.openAppender(shard, expecting: nil)
            var positions: [Position] = []
            for number in 0..<20 { positions += try await appender.append([frame(number), frame(number + 100)]) }
            #expect(positions == positions.sorted() && Set(positions).count == 40)
            let read = try await log.readAll(shard)
            #expect(read.map(\.position) == positions)
            #expect(read.map(\.number) == (0..<20).flatMap { [$0, $0 + 100] })
            let bounds = try await log.bounds(shard)
            #expect(bounds.last == positions.last && bounds.tail > positions[39] && appender.tail == bounds.tail)
        }
    }

    @Test(
        "appends to several shards that are asked for together are stored in each shard's order",
        arguments: Engine.allCases
    )
    func together(engine: Engine) async throws {
        try await with(engine) { log in
            let shards = (0..<3).map { ShardRef(stream: "s-1", index: UInt32($0)) }
            var appenders: [any ShardAppender] = []
            for shard in shards {
                try await log.create(shard)
                appenders.append(try await log.openAppender(shard, expecting: nil))
            }
            let results = AsyncStream.makeStream(of: (shard: Int, Result<Position, ShardLogError>).self)
            let teller = Teller { results.continuation.yield(($0, $1)) }
            log.together {
                for number in 0..<30 {
                    let shard = number % 3
                    if number % 2 == 0 {
                        appenders[shard].append([frame(number)]) { result in
                            results.continuation.yield((shard, result.map { $0[0] }))
                        }
                    } else {
                        appenders[shard].append(frame(number), tag: shard, caller: teller)
                    }
                }
            }
            var positions = [[Position]](repeating: [], count: 3)
            for await (shard, result) in results.stream {
                positions[shard].append(try result.get())
                if positions.joined().count == 30 { break }
            }
            for (index, shard) in shards.enumerated() {
                let read = try await log.readAll(shard)
                #expect(read.map(\.number) == (0..<10).map { 3 * $0 + index })
                #expect(read.map(\.position) == positions[index])
            }
        }
    }

    @Test("a page holds whole frames within its size, the first one whatever its size", arguments: Engine.allCases)
    func pages(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            let appender = try await log.openAppender(shard, expecting: nil)
            let positions = try await appender.append((0..<10).map { frame($0, bytes: 10_000) })
            let first = try await log.read(shard, from: .start, maxBytes: 1)
            #expect(first.frames.map(\.position) == [positions[0]] && first.next == positions[1])
            let next = try await log.read(shard, from: first.next, maxBytes: 25_000)
            #expect(next.frames.map(\.position) == [positions[1], positions[2]])
        }
    }

    @Test("a second owner stops the first, and an expected tail must be the tail", arguments: Engine.allCases)
    func owners(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            let first = try await log.openAppender(shard, expecting: nil)
            let positions = try await first.append([frame(1)])
            let second = try await log.openAppender(shard, expecting: first.tail)
            _ = try await second.append([frame(2)])
            await #expect(throws: ShardLogError.self) { _ = try await first.append([frame(3)]) }
            await #expect(throws: ShardLogError.conflict(actual: second.tail)) {
                _ = try await log.openAppender(shard, expecting: positions[0])
            }
            #expect(try await log.readAll(shard).map(\.number) == [1, 2])
        }
    }

    @Test("a closed shard takes nothing, ends its readers, and stays closed", arguments: Engine.allCases)
    func closed(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            let appender = try await log.openAppender(shard, expecting: nil)
            _ = try await appender.append([frame(1)])
            try await appender.close()
            await #expect(throws: ShardLogError.closed) { _ = try await log.openAppender(shard, expecting: nil) }
            await #expect(throws: ShardLogError.self) { _ = try await appender.append([frame(2)]) }
            let slab = try await log.read(shard, from: .start, maxBytes: 1 << 20)
            #expect(slab.isAtEnd && slab.frames.count == 1)
            #expect(try await log.read(shard, from: slab.next, maxBytes: 1).isAtEnd)
            #expect(try await log.bounds(shard).isClosed)
        }
    }

    @Test("times find the first frame that arrived then or later", arguments: Engine.allCases)
    func times(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            let appender = try await log.openAppender(shard, expecting: nil)
            var positions: [Position] = []
            for number in 0..<200 {
                positions += try await appender.append([frame(number, bytes: 3000, arrival: Int64(number / 2 * 10))])
            }
            for number in stride(from: 0, to: 200, by: 2) {
                #expect(try await log.position(shard, arrivedAtOrAfter: Int64(number / 2 * 10)) == positions[number])
                #expect(
                    try await log.position(shard, arrivedAtOrAfter: Int64(number / 2 * 10 - 3)) == positions[number]
                )
            }
            #expect(try await log.position(shard, arrivedAtOrAfter: 1000) == log.bounds(shard).tail)
        }
    }

    @Test(
        "trimming moves the first position exactly, and readers of older ones begin there",
        arguments: Engine.allCases
    )
    func trim(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            let appender = try await log.openAppender(shard, expecting: nil)
            var positions: [Position] = []
            for number in 0..<100 {
                positions += try await appender.append([frame(number, bytes: 3000, arrival: Int64(number))])
            }
            try await log.trim(shard, arrivedBefore: 40)
            #expect(try await log.bounds(shard).first == positions[40])
            #expect(try await log.readAll(shard).map(\.number) == Array(40..<100))
            try await log.trim(shard, arrivedBefore: 1000)
            #expect(try await log.readAll(shard).isEmpty)
            #expect(try await log.bounds(shard).last == nil)
            let more = try await appender.append([frame(7, arrival: 2000)])
            #expect(more[0] > positions[99])
            #expect(try await log.readAll(shard).map(\.number) == [7])
        }
    }

    @Test("waiting ends with a new frame, with the time, and when the task is cancelled", arguments: Engine.allCases)
    func wait(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            let appender = try await log.openAppender(shard, expecting: nil)
            let shard = shard
            let clock = ContinuousClock()
            async let woken = clock.measure { await log.wait(shard, past: .start, upTo: .seconds(20)) }
            try await Task.sleep(for: .milliseconds(50))
            _ = try await appender.append([frame(1)])
            #expect(await woken < .seconds(10))
            let tail = try await log.bounds(shard).tail
            #expect(await clock.measure { await log.wait(shard, past: tail, upTo: .milliseconds(50)) } < .seconds(10))
            let waiting = Task { await log.wait(shard, past: tail, upTo: .seconds(20)) }
            waiting.cancel()
            #expect(await clock.measure { await waiting.value } < .seconds(10))
        }
    }

    @Test("what is not there is not found, and comes and goes by name", arguments: Engine.allCases)
    func names(engine: Engine) async throws {
        try await with(engine) { log in
            await #expect(throws: ShardLogError.notFound) { _ = try await log.bounds(shard) }
            let other = ShardRef(stream: "s-1", index: 7)
            try await log.create(other)
            try await log.create(shard)
            try await log.create(shard)
            #expect(try await log.list() == [shard, other])
            try await log.delete(shard)
            try await log.delete(shard)
            #expect(try await log.list() == [other])
            await #expect(throws: ShardLogError.notFound) { _ = try await log.read(shard, from: .start, maxBytes: 1) }
        }
    }

    @Test(
        "many appends in flight from many shards are all acknowledged, each shard's in its order",
        arguments: Engine.allCases
    )
    func concurrency(engine: Engine) async throws {
        try await with(engine) { log in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<8 as Range<UInt32> {
                    let shard = ShardRef(stream: "s-2", index: index)
                    try await log.create(shard)
                    let appender = try await log.openAppender(shard, expecting: nil)
                    group.addTask {
                        let acknowledged = try await withThrowingTaskGroup(of: Void.self) { inner in
                            for number in 0..<50 { _ = try await appender.append([frame(number)]) }
                            try await inner.waitForAll()
                            return try await log.readAll(shard).map(\.number)
                        }
                        #expect(acknowledged == Array(0..<50))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(
        "a new owner's tail holds: what an earlier one has under way is before it, or fails",
        arguments: Engine.allCases
    )
    func takeover(engine: Engine) async throws {
        try await with(engine) { log in
            try await log.create(shard)
            for round in 0..<200 {
                let first = try await log.openAppender(shard, expecting: nil)
                async let appended = withTaskGroup(of: Position?.self) { group in
                    for number in 0..<4 { group.addTask { try? await first.append([frame(number)]).last } }
                    return await group.reduce(into: [Position?]()) { $0.append($1) }.compactMap { $0 }
                }
                // Somewhere in the appends' way to the disk.
                try await Task.sleep(for: .microseconds(round * 10))
                let second = try await log.openAppender(shard, expecting: nil)
                let tail = second.tail
                #expect(await appended.allSatisfy { $0 < tail }, "round \(round)")
                #expect(try await log.bounds(shard).tail == tail)
                let next = try await second.append([frame(9)])
                #expect(next[0] >= tail)
            }
        }
    }
}
