import ShardLog
import Synchronization

/// How one request ended, to be told.
struct CommitEnd: Sendable {
    var request: LogRequest
    var part: CommitPart?
    /// Of appended frames.
    var positions: [Position] = []
    var outcome = LogRequest.Outcome()
    var failure: ShardLogError?

    func tell() {
        switch (request.action, failure) {
        case (.append(_, _, let completion), nil): completion(.success(positions))
        case (.append(_, _, let completion), let failure?): completion(.failure(failure))
        case (_, nil): request.completion(.success(outcome))
        case (_, let failure?): request.completion(.failure(failure))
        }
    }
}

/// Tells callers how their requests ended, in order. A few are told at once; while many are told, on a thread of their own, the
/// next group commits.
final class Completer: Sendable {
    private struct State {
        var waiting: [[CommitEnd]] = []
        /// The thread tells what it has taken.
        var isTelling = false
        var isStopping = false
        var hasStopped = false
    }

    /// From so many on the thread tells them: to wake it costs as much as a few.
    private static let many = 32

    private let state = Mutex(State())
    private let wake = Signal()
    private let isThreaded: Bool

    init(isThreaded: Bool) { self.isThreaded = isThreaded }

    /// Starts the thread.
    func start() { LogThread.start { self.run() } }

    /// Called by the commit thread alone.
    func complete(_ ends: [CommitEnd]) {
        let isLeft =
            isThreaded
            && state.withLock { state in
                // Behind others it keeps its place.
                if ends.count < Self.many, state.waiting.isEmpty, !state.isTelling { return false }
                state.waiting.append(ends)
                return true
            }
        if isLeft { wake.raise() } else { for end in ends { end.tell() } }
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
                let taken = state.withLock { state in
                    defer { state.waiting = [] }
                    state.isTelling = !state.waiting.isEmpty
                    return state.waiting
                }
                if taken.isEmpty { break }
                for ends in taken { for end in ends { end.tell() } }
            }
            let isDone = state.withLock { state in
                state.hasStopped = state.isStopping && state.waiting.isEmpty
                return state.hasStopped
            }
            if isDone { return }
        }
    }
}
