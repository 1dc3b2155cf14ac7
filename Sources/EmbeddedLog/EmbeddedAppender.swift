import CChecksums
import ShardLog
import Synchronization

/// Queues one owner's appends for the commit thread.
final class EmbeddedAppender: ShardAppender {
    let owner: Int
    let shard: ShardFolder
    /// Behind all that is acknowledged: written by the commit thread alone.
    private let end: Atomic<UInt64>
    private let hasFailed = Atomic(false)
    private let thread: CommitThread
    private let firstFailure = Mutex<ShardLogError?>(nil)

    init(shard: ShardFolder, owner: Int, tail: Position, thread: CommitThread) {
        self.shard = shard
        self.owner = owner
        self.thread = thread
        end = Atomic(tail.rawValue)
    }

    /// Asks for the memory that a commit needs of it.
    func prefetch() { millrace_prefetch(Unmanaged.passUnretained(self).toOpaque(), 64) }

    var tail: Position { Position(rawValue: end.load(ordering: .acquiring)) }

    /// What every later append fails with, once one has failed: frames behind a failed one would stand in its place.
    var failure: ShardLogError? { hasFailed.load(ordering: .acquiring) ? firstFailure.withLock { $0 } : nil }

    func fail(_ error: ShardLogError) {
        firstFailure.withLock { failure in
            guard failure == nil else { return }
            switch error {
            case .conflict, .closed, .notFound: failure = error
            default: failure = .unknown("an append before this one failed: open the shard again")
            }
        }
        hasFailed.store(true, ordering: .releasing)
    }

    func moveTail(_ tail: Position) {
        if tail.rawValue > end.load(ordering: .relaxed) { end.store(tail.rawValue, ordering: .releasing) }
    }

    func append(
        _ frames: [AppendFrame],
        completion: @escaping @Sendable (Result<[Position], ShardLogError>) -> Void
    ) {
        thread.add(LogRequest(shard, by: self, .append(frames, completion)))
    }

    func append(_ frame: AppendFrame, tag: Int, caller: any AppendCaller) {
        thread.add(LogRequest(self, frame, tag: tag, caller: caller))
    }

    func close() async throws(ShardLogError) {
        do throws(ShardLogError) {
            _ = try await thread.perform(on: shard, by: self) { .close($0) }
        } catch {
            guard error == .closed else { throw error }
        }
    }
}
