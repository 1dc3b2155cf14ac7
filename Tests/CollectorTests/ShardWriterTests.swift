import RecordBatch
import ShardLog
import StreamModel
import Synchronization
import Testing

@testable import Collector

@Suite("a shard's writer")
struct ShardWriterTests {
    /// Answers appends when the test says so.
    private final class ManualAppender: ShardAppender {
        typealias Answer = @Sendable (Result<[Position], ShardLogError>) -> Void
        let waiting = Mutex<[(count: Int, answer: Answer)]>([])
        let frames = Mutex<[FrameBytes]>([])
        let next = Mutex<UInt64>(1)

        var tail: Position { Position(rawValue: next.withLock { $0 }) }

        func append(_ frames: [AppendFrame], completion: @escaping Answer) {
            waiting.withLock { $0.append((frames.count, completion)) }
            self.frames.withLock { $0 += frames.map(\.bytes) }
        }

        func close() {}

        /// Answers the oldest append.
        func answer(_ failure: ShardLogError? = nil) {
            let (count, answer) = waiting.withLock { $0.removeFirst() }
            let positions = next.withLock { next in
                defer { next += UInt64(count) }
                return (0..<count).map { Position(rawValue: next + UInt64($0)) }
            }
            answer(failure.map { .failure($0) } ?? .success(positions))
        }
    }

    private let appender = ManualAppender()
    private let writer = ShardWriter(
        ref: ShardRef(stream: "s", index: 0),
        shard: ShardMap(count: 1, created: 1, now: 1000).shards[0],
        now: { 1000 }
    )

    private func open() {
        writer.opened(appender, nextOffset: 0, lastArrival: 0, producers: ProducerTable())
    }

    private func enqueue(
        _ bytes: Int,
        _ outcomes: Outcomes = Outcomes(),
        producer: ProducerRange? = nil,
        key: FrameKey? = nil
    ) -> ShardWriter.Admission {
        var run = RecordRun(producerCapacity: producer == nil ? 0 : 1, key: key, reserving: bytes)
        let value = [UInt8](repeating: 7, count: bytes)
        value.withUnsafeBytes { run.append(key: UnsafeRawBufferPointer(start: nil, count: 0), value: $0) }
        if let producer { run.producers = [producer] }
        return writer.enqueue(run, part: 0, of: outcomes.put(to: writer))
    }

    /// Puts of one part each, in the order in which they were asked for.
    private final class Outcomes: Sendable {
        private let puts = Mutex<[PutJoin]>([])

        func put(to writer: ShardWriter) -> PutJoin {
            let put = PutJoin(Routes([writer]), writers: [0])
            puts.withLock { $0.append(put) }
            return put
        }

        private var verdicts: [PutJoin.Verdict] { puts.withLock { $0.map { $0.verdict(0) } } }

        var stored: [UInt64] {
            verdicts.compactMap { if case .placed(let placement) = $0 { placement.position.rawValue } else { nil } }
        }

        var failures: Int { verdicts.count { if case .failed = $0 { true } else { false } } }
    }

    @Test("settles with what was enqueued before, though later appends never end")
    func settles() async {
        open()
        _ = enqueue(50_000)
        async let settled = writer.settled()
        while writer.barrierCount == 0 { await Task.yield() }
        _ = enqueue(50_000)
        appender.answer()
        #expect(await settled == Position(rawValue: 1))
        #expect(appender.waiting.withLock(\.count) == 1)
    }

    @Test("merges small runs that wait into one frame, and lets large ones go at once, with offsets in their order")
    func merges() throws {
        open()
        let outcomes = Outcomes()
        for _ in 0..<6 { _ = enqueue(100, outcomes) }
        // One that is committed, and one for the next sync.
        #expect(appender.waiting.withLock { $0.map(\.count) } == [1, 1])
        appender.answer()
        #expect(appender.waiting.withLock { $0.map(\.count) } == [1, 1])
        _ = enqueue(50_000, outcomes)
        #expect(appender.waiting.withLock(\.count) == 3)
        for _ in 0..<3 { appender.answer() }
        #expect(outcomes.stored == [1, 2, 3, 3, 3, 3, 4])
        let offsets = try appender.frames.withLock { $0 }.map { frame in
            try frame.withUnsafeBytes { try FrameView(validating: $0).baseOffset }
        }
        #expect(offsets == [0, 1, 2, 6])
    }

    @Test("a run that goes alone is not copied on its way into the log")
    func inPlace() {
        open()
        var written: UnsafeRawPointer?
        var run = RecordRun(reserving: 100_000)
        run.append(key: UnsafeRawBufferPointer(start: nil, count: 0), valueCount: 50_000) { value in
            value.initializeMemory(as: UInt8.self, repeating: 7)
            written = UnsafeRawPointer(value.baseAddress)
        }
        _ = writer.enqueue(run, part: 0, of: Outcomes().put(to: writer))
        appender.frames.withLock { frames in
            frames[0].withUnsafeBytes { bytes in
                #expect(written.map { $0 - bytes.baseAddress! } == bytes.count - 50_000 - 1)
            }
        }
    }

    @Test("merges runs of one key, and begins a frame where the key changes, comes or goes")
    func keys() throws {
        open()
        let outcomes = Outcomes()
        let roots = try [1, 2].map { try #require(RootKey([UInt8](repeating: $0, count: 32))) }
        let keys = roots.map { FrameKey($0, name: "alias/k", stream: "s", salt: 1) }
        for key in [nil, nil, keys[0], keys[0], nil, keys[1], keys[0], nil] { _ = enqueue(100, outcomes, key: key) }
        for _ in 0..<3 { appender.answer() }
        // The first two went at once; the others share frames with neighbours of their key.
        #expect(outcomes.stored == [1, 2, 3, 3, 4, 5, 6, 7])
        let encryptions = try appender.frames.withLock { $0 }.map { frame in
            try frame.withUnsafeBytes { try FrameView(validating: $0).encryption()?.fingerprint }
        }
        let (first, second) = (roots[0].fingerprint, roots[1].fingerprint)
        #expect(encryptions == [nil, nil, first, nil, second, first, nil])
    }

    @Test("after a failed append nothing behind it is stored, and the shard must be opened again")
    func failure() {
        open()
        let outcomes = Outcomes()
        for _ in 0..<3 { _ = enqueue(100, outcomes) }
        appender.answer(.unavailable("full", retryAfter: .seconds(1)))
        #expect(outcomes.failures == 2)
        appender.answer(.unknown("an append before this one failed"))
        #expect(outcomes.failures == 3)
        if case .needsOpening = enqueue(100) {} else { Issue.record("it takes records unopened") }
        open()
        if case .accepted = enqueue(100, outcomes) {} else { Issue.record("it takes none though opened") }
    }

    @Test("a producer's sequences that failed are not taken for stored")
    func retry() {
        open()
        let range = ProducerRange(producer: 5, first: 0, last: 9)
        _ = enqueue(100, producer: range)
        if case .overlaps = enqueue(100, producer: range) {} else { Issue.record("queued sequences are not known") }
        appender.answer(.unavailable("full", retryAfter: .seconds(1)))
        open()
        if case .accepted = enqueue(100, producer: range) {} else { Issue.record("failed sequences count as stored") }
        appender.answer()
        if case .overlaps = enqueue(100, producer: range) {} else { Issue.record("stored sequences are not known") }
    }

    @Test("a run whose records were looked at before a failure is looked at again")
    func sifting() {
        open()
        let (first, second) = (Outcomes(), Outcomes())
        _ = enqueue(50_000, first, producer: ProducerRange(producer: 7, first: 30, last: 40))
        let found = writer.find(producer: 7, sequence: 30, key: HashKey(0))
        #expect(found.isDuplicate)
        appender.answer(.unavailable("full", retryAfter: .zero))
        open()
        // 30 to 33 were taken for duplicates; 34 to 40 would make them so for ever.
        var run = RecordRun(producerCapacity: 1, reserving: 100)
        run.producers = [ProducerRange(producer: 7, first: 34, last: 40)]
        let own = writer.find(producer: 7, sequence: 34, key: HashKey(0)).own
        let sifting = ShardWriter.Sifting(epoch: found.epoch, own: [7: own])
        let admission = writer.enqueue(run, sifting: sifting, part: 0, of: second.put(to: writer))
        guard case .overlaps = admission else {
            Issue.record("the run was \(admission)")
            return
        }
    }
}
