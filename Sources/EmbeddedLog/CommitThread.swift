import ShardLog
import Synchronization

/// Gathers what all shards' callers ask for, and hands it to the committer, a group at a time.
final class CommitThread: Sendable {
    private struct Queue {
        var requests: ContiguousArray<LogRequest> = []
        var isStopping = false
        var hasStopped = false
    }

    /// Callers in the midst of asking for several shards, each by a number of its own.
    private struct Asking {
        var last = 0
        /// All that may be waited for.
        var open: [Int] = []
        /// Those that the next group waits for.
        var awaited: [Int] = []
    }

    private let queue = Mutex(Queue())
    private let asking = Mutex(Asking())
    private let signal = Signal()
    private let committer: Committer
    /// A caller that asks for several shards is waited for so long, once: its thread may not be running.
    private let patience: Duration
    /// Groups so far: `turn`'s caller's alone.
    nonisolated(unsafe) private var groups = 0

    init(_ committer: Committer, patience: Duration) {
        self.committer = committer
        self.patience = patience
    }

    /// Starts the thread. Without it somebody calls `turn`.
    func start() {
        committer.completer.start()
        LogThread.start { self.run() }
    }

    func add(_ request: consuming LogRequest) {
        var request: LogRequest? = request
        let isFirst = queue.withLock { queue in
            if queue.isStopping { return false }
            if let request = request.take() { queue.requests.append(request) }
            return queue.requests.count == 1
        }
        // Behind the first one the thread is awake, or about to be.
        if isFirst { signal.raise() }
        guard var request else { return }
        // The log is closed: a program's last moments. Never from within the call: the caller may hold a lock.
        Task { request.tell(.unavailable("the log is closed", retryAfter: .seconds(1))) }
    }

    /// Adds a request and waits for its outcome.
    func perform(
        on shard: ShardFolder,
        by appender: EmbeddedAppender? = nil,
        _ action: (@escaping LogCall.Completion) -> LogCall.Action
    ) async throws(ShardLogError) -> LogCall.Outcome {
        let result = await withCheckedContinuation { continuation in
            add(LogRequest(shard, by: appender, action { continuation.resume(returning: $0) }))
        }
        return try result.get()
    }

    /// Commits what is queued, then ends the thread.
    func stop() async {
        queue.withLock { $0.isStopping = true }
        signal.raise()
        while !queue.withLock({ $0.hasStopped }) { try? await Task.sleep(for: .milliseconds(1)) }
        await committer.completer.stop()
    }

    /// Commits what is queued. Returns false when that is nothing.
    @discardableResult
    func turn() -> Bool {
        // Its memory is used in turns, so that a queue is not grown anew for each group.
        var requests = committer.completer.emptyQueue()
        queue.withLock { swap(&$0.requests, &requests) }
        if requests.isEmpty { return false }
        groups += 1
        committer.commit(requests, number: groups)
        return true
    }

    /// Runs `body`, which adds requests of several shards.
    func together(_ body: () -> Void) {
        let caller = asking.withLock { asking in
            asking.last += 1
            asking.open.append(asking.last)
            return asking.last
        }
        body()
        let isLast = asking.withLock { asking in
            asking.open.removeAll { $0 == caller }
            guard let at = asking.awaited.firstIndex(of: caller) else { return false }
            asking.awaited.remove(at: at)
            return asking.awaited.isEmpty
        }
        if isLast { signal.raise() }
    }

    /// Waits for callers in the midst of asking for several shards: what they have yet to ask for would need a second sync, and
    /// their answers would wait for both. Those that begin meanwhile are not waited for.
    private func gather() {
        let isAlone = asking.withLock { asking in
            asking.awaited = asking.open
            return asking.open.isEmpty
        }
        if isAlone { return }
        let deadline = ContinuousClock.now + patience
        while !asking.withLock({ $0.awaited.isEmpty }) {
            let left = deadline - .now
            if left <= .zero { break }
            signal.wait(atMost: left)
        }
        asking.withLock { asking in
            // Who has been waited for in vain is not waited for again.
            let late = asking.awaited
            asking.open.removeAll { late.contains($0) }
            asking.awaited = []
        }
    }

    private func run() {
        while true {
            signal.wait()
            repeat { gather() } while turn()
            let isDone = queue.withLock { queue in
                queue.hasStopped = queue.isStopping && queue.requests.isEmpty
                return queue.hasStopped
            }
            if isDone { return }
        }
    }
}
