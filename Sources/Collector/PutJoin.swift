import RecordBatch
import ShardLog
import Synchronization

/// Meets the verdicts of a put's parts and resumes the put once. It is also who the log tells how the parts ended that went
/// alone, so that a put over many shards takes one object for all of them.
///
/// `@unchecked`: a part's slot is in the hands of one thread at a time, of that which enqueues it and then of the one that
/// answers; `missing` orders all of them before whoever reads the verdicts.
final class PutJoin: AppendCaller, @unchecked Sendable {
    /// What became of one part.
    enum Verdict: Sendable {
        case waiting
        case placed(Placement)
        case failed(WriteFailure)
        case overlaps
        case needsOpening
        case closed
    }

    private struct Slot {
        var verdict = Verdict.waiting
        /// Of a part that went alone and is on its way.
        var append: ShardWriter.SingleAppend?
    }

    private let routes: Routes
    /// Of each part: which of the writers has it.
    private let writers: [Int32]
    private let slots: UnsafeMutableBufferPointer<Slot>
    /// Parts without a verdict, and one for the continuation.
    private let missing: Atomic<Int>
    private var continuation: CheckedContinuation<Void, Never>?

    /// A put whose parts go to the named ones of the writers.
    init(_ routes: Routes, writers: [Int32]) {
        self.routes = routes
        self.writers = writers
        slots = .allocate(capacity: writers.count)
        slots.initialize(repeating: Slot())
        missing = Atomic(writers.count + 1)
    }

    deinit {
        slots.deinitialize()
        slots.deallocate()
    }

    /// Names who waits; once.
    func begin(_ continuation: CheckedContinuation<Void, Never>) {
        self.continuation = continuation
        countDown()
    }

    /// Which of the writers a part goes to.
    func slot(_ part: Int) -> Int { Int(writers[part]) }

    /// Asks a part's writer to take it.
    func enqueue(_ run: RecordRun, _ part: Int, _ sifting: ShardWriter.Sifting?) -> ShardWriter.Admission {
        prefetch(behind: part + ShardWriter.ahead)
        let later = part + ShardWriter.ahead
        if later < writers.count { routes.writers[slot(later)].prefetchAppender() }
        return routes.writers[slot(part)].enqueue(run, sifting: sifting, part: part, of: self)
    }

    func complete(_ part: Int, _ verdict: Verdict) {
        slots[part].verdict = verdict
        countDown()
    }

    private func countDown() {
        let left = missing.subtract(1, ordering: .acquiringAndReleasing).newValue
        if left == 0 { continuation?.resume() }
    }

    /// What became of a part, once it is known.
    func verdict(_ part: Int) -> Verdict { slots[part].verdict }

    // MARK: - Parts that go alone

    /// Keeps what the answer to a part's append needs, until it comes.
    func keep(_ append: ShardWriter.SingleAppend, of part: Int) { slots[part].append = append }

    func appended(_ tag: Int, _ result: Result<Position, ShardLogError>) {
        prefetch(behind: tag)
        guard let append = slots[tag].append.take() else { return }
        routes.writers[slot(tag)].answer(append, result, to: self, part: tag)
    }

    /// Asks for the memory of a writer some parts later: they are asked, and answered, in their order.
    private func prefetch(behind part: Int) {
        let later = part + ShardWriter.ahead
        if later < writers.count { routes.writers[slot(later)].prefetch() }
    }
}
