import Synchronization

/// Keeps every log in memory: the seam's first implementation, and what tests of its users run on.
public final class MemoryShardLog: ShardLog {
    private struct Shard {
        var frames: [(position: Position, frame: AppendFrame)] = []
        var first = Position(rawValue: 1)
        var tail = Position(rawValue: 1)
        var isClosed = false
        var owner = 0
        let waiters = WaiterList()
    }

    private struct State {
        var shards: [ShardRef: Shard] = [:]
    }

    private let state = Mutex(State())
    /// Completions come from here, in order, never from within `append`.
    private let completions: AsyncStream<@Sendable () -> Void>.Continuation

    /// An empty log.
    public init() {
        let (stream, continuation) = AsyncStream.makeStream(of: (@Sendable () -> Void).self)
        completions = continuation
        Task { for await completion in stream { completion() } }
    }

    deinit { completions.finish() }

    public func create(_ shard: ShardRef) {
        state.withLock { state in
            if state.shards[shard] == nil { state.shards[shard] = Shard() }
        }
    }

    public func delete(_ shard: ShardRef) {
        state.withLock { $0.shards.removeValue(forKey: shard) }?.waiters.wake()
    }

    public func list() -> [ShardRef] { state.withLock { $0.shards.keys.sorted() } }

    public func bounds(_ shard: ShardRef) throws(ShardLogError) -> LogBounds {
        let log = try find(shard)
        let last = log.frames.last.flatMap { $0.position >= log.first ? $0.position : nil }
        return LogBounds(first: log.first, tail: log.tail, last: last, isClosed: log.isClosed)
    }

    public func openAppender(
        _ shard: ShardRef,
        expecting tail: Position?
    ) throws(ShardLogError) -> any ShardAppender {
        try state.withLock { state throws(ShardLogError) in
            guard var log = state.shards[shard] else { throw .notFound }
            if log.isClosed { throw .closed }
            if let tail, tail != log.tail { throw .conflict(actual: log.tail) }
            log.owner += 1
            state.shards[shard] = log
            return Appender(log: self, shard: shard, owner: log.owner, tail: log.tail)
        }
    }

    public func read(_ shard: ShardRef, from position: Position, maxBytes: Int) throws(ShardLogError) -> FrameSlab {
        let log = try find(shard)
        let from = max(position, log.first)
        var bytes: [UInt8] = []
        var slab = FrameSlab(bytes: .none, frames: [], next: log.tail, isAtEnd: log.isClosed)
        for (position, frame) in log.frames[log.frames.partitioningIndex { $0.position >= from }...] {
            if !slab.frames.isEmpty, bytes.count + frame.bytes.count > maxBytes {
                slab.next = position
                slab.isAtEnd = false
                break
            }
            let start = bytes.count
            frame.bytes.withUnsafeBytes { bytes += $0 }
            slab.frames.append(FrameSlab.Frame(position: position, range: start..<bytes.count))
        }
        slab.bytes = FrameBytes(bytes)
        return slab
    }

    public func wait(_ shard: ShardRef, past position: Position, upTo limit: Duration) async {
        guard let waiters = state.withLock({ $0.shards[shard]?.waiters }) else { return }
        await waiters.wait(upTo: limit) {
            self.state.withLock { state in
                guard let log = state.shards[shard] else { return true }
                return log.tail > position || log.isClosed
            }
        }
    }

    public func position(
        _ shard: ShardRef,
        arrivedAtOrAfter arrivalMilliseconds: Int64
    ) throws(ShardLogError) -> Position {
        let log = try find(shard)
        return log.frames.first { $0.position >= log.first && $0.frame.arrivalMilliseconds >= arrivalMilliseconds }?
            .position ?? log.tail
    }

    public func position(_ shard: ShardRef, atOrAfter position: Position) throws(ShardLogError) -> Position {
        let log = try find(shard)
        return log.frames.first { $0.position >= max(log.first, position) }?.position ?? log.tail
    }

    public func trim(_ shard: ShardRef, arrivedBefore arrivalMilliseconds: Int64) throws(ShardLogError) {
        try state.withLock { state throws(ShardLogError) in
            guard var log = state.shards[shard] else { throw .notFound }
            let kept = log.frames.drop { $0.frame.arrivalMilliseconds < arrivalMilliseconds }
            if kept.count < log.frames.count {
                log.first = kept.first?.position ?? log.tail
                log.frames = Array(kept)
            }
            state.shards[shard] = log
        }
    }

    private func find(_ shard: ShardRef) throws(ShardLogError) -> Shard {
        guard let log = state.withLock({ $0.shards[shard] }) else { throw .notFound }
        return log
    }

    fileprivate func append(
        _ frames: [AppendFrame],
        to shard: ShardRef,
        owner: Int,
        tail report: @escaping @Sendable (Position) -> Void,
        completion: @escaping @Sendable (Result<[Position], ShardLogError>) -> Void
    ) {
        let (result, waiters) = state.withLock { state -> (Result<[Position], ShardLogError>, WaiterList?) in
            guard var log = state.shards[shard] else { return (.failure(.notFound), nil) }
            if log.isClosed { return (.failure(.closed), nil) }
            if log.owner != owner { return (.failure(.conflict(actual: log.tail)), nil) }
            var positions: [Position] = []
            for frame in frames {
                positions.append(log.tail)
                log.frames.append((log.tail, frame))
                log.tail = Position(rawValue: log.tail.rawValue + 1)
            }
            report(log.tail)
            state.shards[shard] = log
            return (.success(positions), log.waiters)
        }
        waiters?.wake()
        completions.yield { completion(result) }
    }

    fileprivate func close(_ shard: ShardRef, owner: Int) throws(ShardLogError) {
        let waiters = try state.withLock { state throws(ShardLogError) in
            guard let log = state.shards[shard] else { throw ShardLogError.notFound }
            if log.owner != owner { throw ShardLogError.conflict(actual: log.tail) }
            state.shards[shard]?.isClosed = true
            return log.waiters
        }
        waiters.wake()
    }

    private final class Appender: ShardAppender {
        private let log: MemoryShardLog
        private let shard: ShardRef
        private let owner: Int
        private let end: Mutex<Position>

        init(log: MemoryShardLog, shard: ShardRef, owner: Int, tail: Position) {
            self.log = log
            self.shard = shard
            self.owner = owner
            end = Mutex(tail)
        }

        var tail: Position { end.withLock { $0 } }

        func append(
            _ frames: [AppendFrame],
            completion: @escaping @Sendable (Result<[Position], ShardLogError>) -> Void
        ) {
            log.append(
                frames,
                to: shard,
                owner: owner,
                tail: { position in self.end.withLock { $0 = position } },
                completion: completion
            )
        }

        func close() throws(ShardLogError) { try log.close(shard, owner: owner) }
    }
}

extension RandomAccessCollection {
    /// The first index whose element, and all behind it, satisfy the predicate.
    fileprivate func partitioningIndex(where predicate: (Element) -> Bool) -> Index {
        var (low, count) = (startIndex, self.count)
        while count > 0 {
            let half = count / 2
            let middle = index(low, offsetBy: half)
            if predicate(self[middle]) {
                count = half
            } else {
                low = index(after: middle)
                count -= half + 1
            }
        }
        return low
    }
}
