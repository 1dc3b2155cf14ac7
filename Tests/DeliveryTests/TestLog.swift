import ShardLog
import Synchronization

@testable import Delivery

/// Shard logs in memory whose frames a test appends, closes and reads back.
final class TestLog: ShardLog {
    private struct Shard {
        var frames: [[UInt8]] = []
        var isClosed = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private struct State {
        var shards: [ShardRef: Shard] = [:]
        var nextWaiter = 0
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    func append(_ shard: ShardRef, _ records: [[UInt8]], arrival: Int64 = 1_700_000_000_000) {
        appendRaw(shard, encodeFrame(records, arrival: arrival))
    }

    func appendRaw(_ shard: ShardRef, _ frame: [UInt8]) { change(shard) { $0.frames.append(frame) } }

    func seal(_ shard: ShardRef) { change(shard) { $0.isClosed = true } }

    private func change(_ shard: ShardRef, _ body: (inout Shard) -> Void) {
        let waiting = state.withLock { state in
            body(&state.shards[shard, default: Shard()])
            defer { state.shards[shard]?.waiting = [:] }
            return state.shards[shard]?.waiting ?? [:]
        }
        for continuation in waiting.values { continuation.resume() }
    }

    func create(_ shard: ShardRef) async throws(ShardLogError) { change(shard) { _ in } }
    func delete(_ shard: ShardRef) async throws(ShardLogError) { state.withLock { $0.shards[shard] = nil } }
    func list() async throws(ShardLogError) -> [ShardRef] { state.withLock { $0.shards.keys.sorted() } }

    func bounds(_ shard: ShardRef) async throws(ShardLogError) -> LogBounds {
        guard let (count, isClosed) = state.withLock({ $0.shards[shard].map { ($0.frames.count, $0.isClosed) } }) else {
            throw .notFound
        }
        let tail = Position(rawValue: UInt64(count) * 10)
        return LogBounds(first: .start, tail: tail, last: nil, isClosed: isClosed)
    }

    func openAppender(_ shard: ShardRef, expecting: Position?) async throws(ShardLogError) -> any ShardAppender {
        throw .closed
    }

    /// Positions are 0, 10, 20 …
    func read(_ shard: ShardRef, from position: Position, maxBytes: Int) async throws(ShardLogError) -> FrameSlab {
        let slab: FrameSlab? = state.withLock { state in
            guard let log = state.shards[shard] else { return nil }
            var bytes: [UInt8] = []
            var slab = FrameSlab(bytes: .none, frames: [], next: position, isAtEnd: false)
            var index = Int((position.rawValue + 9) / 10)
            while index < log.frames.count,
                slab.frames.isEmpty || bytes.count + log.frames[index].count <= maxBytes
            {
                let start = bytes.count
                bytes += log.frames[index]
                slab.frames.append(
                    .init(position: Position(rawValue: UInt64(index) * 10), range: start..<bytes.count)
                )
                index += 1
                slab.next = Position(rawValue: UInt64(index) * 10)
            }
            slab.bytes = FrameBytes(bytes)
            slab.isAtEnd = log.isClosed && index >= log.frames.count
            return slab
        }
        guard let slab else { throw .notFound }
        return slab
    }

    func wait(_ shard: ShardRef, past position: Position, upTo limit: Duration) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goOn = state.withLock { state in
                    guard let log = state.shards[shard], !log.isClosed, !state.cancelled.contains(id),
                        UInt64(log.frames.count) * 10 <= position.rawValue
                    else { return true }
                    state.shards[shard]?.waiting[id] = continuation
                    return false
                }
                if goOn { continuation.resume() }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.cancelled.insert(id)
                return state.shards[shard]?.waiting.removeValue(forKey: id)
            }
            waiting?.resume()
        }
    }

    func position(_ shard: ShardRef, arrivedAtOrAfter: Int64) async throws(ShardLogError) -> Position { .start }
    func position(_ shard: ShardRef, atOrAfter position: Position) async throws(ShardLogError) -> Position { position }
    func trim(_ shard: ShardRef, arrivedBefore: Int64) async throws(ShardLogError) {}
}
