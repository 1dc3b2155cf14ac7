import Synchronization

/// Threads that wait for the disk, several at once: it takes many syncs at a time and joins them.
final class SyncPool: Sendable {
    private struct Work: Sendable {
        var body: @Sendable (Int) -> Void
        var count: Int
        var next = 0
        var done = 0
        /// Raised when all are done.
        var finished: Signal
    }

    private struct State {
        var work: [Work] = []
        /// Threads that are at a job, or look for one.
        var busy: Set<Int> = []
        var isStopping = false
    }

    private let state = Mutex(State())
    private let wakes: [Signal]

    /// - Parameter threads: besides the caller's; 0 does everything in order.
    init(threads: Int) {
        wakes = (0..<threads).map { _ in Signal() }
        for (thread, wake) in wakes.enumerated() {
            LogThread.start { [weak self, wake] in Self.serve(thread, wake) { self } }
        }
    }

    /// Ends the threads.
    func stop() {
        state.withLock { $0.isStopping = true }
        for wake in wakes { wake.raise() }
    }

    private static func serve(_ thread: Int, _ wake: Signal, _ pool: () -> SyncPool?) {
        while true {
            wake.wait()
            guard let pool = pool(), !pool.state.withLock({ $0.isStopping }) else { return }
            while pool.runOne(on: thread) {}
        }
    }

    /// Calls `body` with 0..<count, on several threads; returns when all calls have.
    func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        if count <= 1 || wakes.isEmpty {
            for job in 0..<count { body(job) }
            return
        }
        let finished = Signal()
        let asked = state.withLock { state in
            state.work.append(Work(body: body, count: count, finished: finished))
            // A settling keeps its thread for long: those that have nothing to do come first.
            let idle = wakes.indices.filter { !state.busy.contains($0) }.prefix(count - 1)
            state.busy.formUnion(idle)
            return Array(idle)
        }
        for thread in asked { wakes[thread].raise() }
        // Its own only: another's may take as long as a sync of the whole file system, and a commit waits for no settling.
        while runOne(of: finished) {}
        finished.wait()
        state.withLock { $0.work.removeAll { $0.finished === finished } }
    }

    /// Runs one job, of the given work or of any; false when none is left.
    private func runOne(of own: Signal? = nil, on thread: Int? = nil) -> Bool {
        let job = state.withLock { state -> (Work, Int)? in
            let isOpen = { (work: Work) in work.next < work.count && (own == nil || work.finished === own) }
            guard let at = state.work.firstIndex(where: isOpen) else {
                if let thread { state.busy.remove(thread) }
                return nil
            }
            state.work[at].next += 1
            return (state.work[at], state.work[at].next - 1)
        }
        guard let (work, index) = job else { return false }
        work.body(index)
        state.withLock { state in
            guard let at = state.work.firstIndex(where: { $0.finished === work.finished }) else { return }
            state.work[at].done += 1
            if state.work[at].done == work.count { work.finished.raise() }
        }
        return true
    }
}
