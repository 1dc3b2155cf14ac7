import Synchronization

/// Tells callers how their requests ended, in order. A few are told at once; while many are told, on a thread of their own, the
/// next group commits.
final class Completer: Sendable {
    private struct State {
        var waiting: [EndedRequests] = []
        /// The thread tells what it has taken.
        var isTelling = false
        var isStopping = false
        var hasStopped = false
    }

    /// From so many on the thread tells them: to wake it costs as much as a few.
    private static let many = 32
    /// Memory for so many is kept: 2 MiB.
    private static let keptRequests = 16_384

    private let state = Mutex(State())
    /// A queue that is told and empty, for its memory.
    private let spare = Mutex<ContiguousArray<LogRequest>>([])
    private let wake = Signal()
    private let isThreaded: Bool

    init(isThreaded: Bool) { self.isThreaded = isThreaded }

    /// Starts the thread.
    func start() { LogThread.start { self.run() } }

    /// Takes what ended, and leaves nothing of it. Called by the commit thread alone.
    func complete(_ ended: inout EndedRequests) {
        let isLeft =
            isThreaded
            && state.withLock { state in
                // Behind others it keeps its place.
                if ended.requests.count < Self.many, state.waiting.isEmpty, !state.isTelling { return false }
                state.waiting.append(ended)
                ended = EndedRequests()
                return true
            }
        if isLeft { wake.raise() } else { tell(&ended) }
    }

    private func tell(_ ended: inout EndedRequests) {
        ended.tell()
        var queue = ContiguousArray<LogRequest>()
        swap(&queue, &ended.requests)
        if queue.capacity > Self.keptRequests { return }
        queue.removeAll(keepingCapacity: true)
        spare.withLock { swap(&$0, &queue) }
    }

    /// An empty queue, with memory where there is some.
    func emptyQueue() -> ContiguousArray<LogRequest> {
        var queue = ContiguousArray<LogRequest>()
        spare.withLock { swap(&$0, &queue) }
        return queue
    }

    /// Tells what is left, then ends the thread. The commit thread has ended.
    func stop() async {
        guard isThreaded else { return }
        state.withLock { $0.isStopping = true }
        wake.raise()
        while !state.withLock({ $0.hasStopped }) { try? await Task.sleep(for: .milliseconds(1)) }
    }

    private func run() {
        while true {
            wake.wait()
            while true {
                let next = state.withLock { state in
                    state.isTelling = !state.waiting.isEmpty
                    return state.waiting.isEmpty ? nil : state.waiting.removeFirst()
                }
                guard var next else { break }
                tell(&next)
            }
            let isDone = state.withLock { state in
                state.hasStopped = state.isStopping && state.waiting.isEmpty
                return state.hasStopped
            }
            if isDone { return }
        }
    }
}
