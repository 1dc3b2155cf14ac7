import ShardLog
import Synchronization

/// Queues one owner's appends for the commit thread.
final class EmbeddedAppender: ShardAppender {
    private struct State {
        var tail: Position
        var failure: ShardLogError?
    }

    let owner: Int
    private let shard: ShardFolder
    private let thread: CommitThread
    private let state: Mutex<State>

    init(shard: ShardFolder, owner: Int, tail: Position, thread: CommitThread) {
        self.shard = shard
        self.owner = owner
        self.thread = thread
        state = Mutex(State(tail: tail))
    }

    var tail: Position { state.withLock { $0.tail } }

    /// What every later append fails with, once one has failed: frames behind a failed one would stand in its place.
    var failure: ShardLogError? { state.withLock { $0.failure } }

    func fail(_ error: ShardLogError) {
        state.withLock { state in
            guard state.failure == nil else { return }
            switch error {
            case .conflict, .closed, .notFound: state.failure = error
            default: state.failure = .unknown("an append before this one failed: open the shard again")
            }
        }
    }

    func moveTail(_ tail: Position) { state.withLock { $0.tail = max($0.tail, tail) } }

    func append(
        _ frames: [AppendFrame],
        completion: @escaping @Sendable (Result<[Position], ShardLogError>) -> Void
    ) {
        thread.add(LogRequest(shard, by: self, .append(frames, completion)))
    }

    func append(
        _ frame: AppendFrame,
        completion: @escaping @Sendable (Result<Position, ShardLogError>) -> Void
    ) {
        thread.add(LogRequest(shard, by: self, .appendOne(frame, completion)))
    }

    func close() async throws(ShardLogError) {
        do throws(ShardLogError) {
            _ = try await thread.perform(on: shard, by: self) { .close($0) }
        } catch {
            guard error == .closed else { throw error }
        }
    }
}
