import DiskIO
import Glibc
import Logging
import RecordBatch
import ShardLog
import Synchronization

/// One append on its way.
struct AppendRequest: Sendable {
    var shard: ShardFolder
    var appender: EmbeddedAppender
    /// Empty to close the shard.
    var frames: [AppendFrame]
    var completion: @Sendable (Result<[Position], ShardLogError>) -> Void
}

/// Writes everything that all shards have queued, syncs once per file, then acknowledges: group commit.
///
///     take the queue ─> write ─> fdatasync each file ─> move tails ─> complete, in order ─> take the queue ...
///
/// While a group syncs the next one gathers, so the cost of a sync is shared by ever more records as load rises.
/// A sync per file is right for the shards of one machine's usual streams; it is not for thousands of busy shards.
final class CommitThread: Sendable {
    private struct Queue {
        var requests: [AppendRequest] = []
        var isStopping = false
        var hasStopped = false
    }

    private let queue = Mutex(Queue())
    private let signal = Signal()
    private let configuration: EmbeddedLog.Configuration
    private let logger: Logger

    init(configuration: EmbeddedLog.Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Starts the thread.
    func start() {
        let body = Unmanaged.passRetained(Body { self.run() })
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { context in
                Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            },
            body.toOpaque()
        )
        precondition(result == 0, "no thread can be made: \(String(cString: strerror(result)))")
        pthread_detach(thread)
    }

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    func add(_ request: AppendRequest) {
        let isTaken = queue.withLock { queue in
            if queue.isStopping { return false }
            queue.requests.append(request)
            return true
        }
        if isTaken {
            signal.raise()
        } else {
            // The log is closed: a program's last moments. Never from within the call: the caller may hold a lock.
            Task { request.completion(.failure(.unavailable("the log is closed", retryAfter: .seconds(1)))) }
        }
    }

    /// Commits what is queued, then ends the thread.
    func stop() async {
        queue.withLock { $0.isStopping = true }
        signal.raise()
        while !queue.withLock({ $0.hasStopped }) { try? await Task.sleep(for: .milliseconds(1)) }
    }

    private func run() {
        while true {
            signal.wait()
            let (requests, isStopping) = queue.withLock { queue in
                defer { queue.requests = [] }
                return (queue.requests, queue.isStopping)
            }
            if !requests.isEmpty { commit(requests) }
            if isStopping, requests.isEmpty {
                queue.withLock { $0.hasStopped = true }
                return
            }
            if isStopping { signal.raise() }
        }
    }

    // MARK: - A group

    /// What a group does to one shard.
    private final class Part {
        let shard: ShardFolder
        /// The segments as they are after the group.
        var segments: [Segment]
        var file: (any DiskFile)?
        /// Files with bytes that are not synced.
        var dirty: [any DiskFile] = []
        var failure: ShardLogError?
        var closes = false
        let owner: Int
        let durableSegments: Int
        /// The size of the last of them.
        let durableSize: UInt64

        init(_ shard: ShardFolder, _ state: ShardFolder.State) {
            self.shard = shard
            segments = state.segments
            durableSegments = state.segments.count
            durableSize = state.segments.last?.size ?? Segment.header
            file = state.active
            owner = state.owner
        }
    }

    private func commit(_ requests: [AppendRequest]) {
        var parts: [ObjectIdentifier: Part] = [:]
        var order: [Part] = []
        var outcomes: [Result<[Position], ShardLogError>] = []
        outcomes.reserveCapacity(requests.count)

        for request in requests {
            do throws(ShardLogError) {
                let part: Part
                if let known = parts[ObjectIdentifier(request.shard)] {
                    part = known
                } else {
                    part = try begin(request.shard)
                    parts[ObjectIdentifier(request.shard)] = part
                    order.append(part)
                }
                outcomes.append(.success(try write(request, to: part)))
            } catch {
                request.appender.fail(error)
                outcomes.append(.failure(error))
            }
        }

        for part in order where part.failure == nil { sync(part) }
        for part in order { publish(part) }

        for (index, request) in requests.enumerated() {
            if case .success = outcomes[index], let part = parts[ObjectIdentifier(request.shard)] {
                if let failure = part.failure {
                    request.appender.fail(failure)
                    outcomes[index] = .failure(failure)
                } else if let tail = part.segments.last?.end {
                    request.appender.moveTail(Position(rawValue: tail))
                }
            }
            request.completion(outcomes[index])
        }
        releaseFiles(order)
    }

    private func begin(_ shard: ShardFolder) throws(ShardLogError) -> Part {
        try shard.with { state throws(ShardLogError) in
            if state.isClosed { throw ShardLogError.closed }
            return Part(shard, state)
        }
    }

    private func write(_ request: AppendRequest, to part: Part) throws(ShardLogError) -> [Position] {
        if let failure = part.failure { throw failure }
        if let failure = request.appender.failure { throw failure }
        guard request.appender.owner == part.owner else {
            throw ShardLogError.conflict(actual: Position(rawValue: part.segments.last?.end ?? 0))
        }
        if part.closes { throw ShardLogError.closed }
        if request.frames.isEmpty {
            part.closes = true
            return []
        }
        var positions: [Position] = []
        do throws(DiskError) {
            for frame in request.frames {
                guard frame.bytes.count <= FrameEncoder.byteLimit else {
                    throw DiskError("frame", part.shard.path, number: EFBIG)
                }
                positions.append(Position(rawValue: try write(frame, to: part)))
            }
        } catch {
            // The group's bytes of this shard lie behind its tail: nobody sees them, and the next group overwrites them.
            let failure = ShardLogError.unavailable(error.description, retryAfter: .seconds(1))
            part.failure = failure
            throw failure
        }
        return positions
    }

    private func write(_ frame: AppendFrame, to part: Part) throws(DiskError) -> UInt64 {
        if part.segments.last.map({ $0.size >= configuration.segmentBytes }) ?? true { try roll(part) }
        let last = part.segments.count - 1
        let file: any DiskFile
        if let open = part.file {
            file = open
        } else {
            file = try part.shard.disk.open(part.shard.path + "/" + part.segments[last].name, .write)
            part.file = file
        }
        let offset = part.segments[last].size
        let synced = last < part.durableSegments ? part.durableSize : Segment.header
        try frame.bytes.withUnsafeBufferPointer { bytes throws(DiskError) in
            try Self.write(UnsafeRawBufferPointer(bytes), to: file, at: offset, unsyncedBytes: Int(offset - synced))
        }
        if part.dirty.last !== file { part.dirty.append(file) }
        part.segments[last].note(arrival: frame.arrivalMilliseconds, offset: offset)
        part.segments[last].size += UInt64(frame.bytes.count)
        return part.segments[last].base + offset
    }

    private static func write(
        _ frame: UnsafeRawBufferPointer,
        to file: any DiskFile,
        at offset: UInt64,
        unsyncedBytes: Int
    ) throws(DiskError) {
        var failure: DiskError?
        withUnsafeTemporaryAllocation(byteCount: FrameHeader.size, alignment: 8) { envelope in
            FrameStamp.fill(envelope, of: frame, unsyncedBytes: unsyncedBytes)
            withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 2) { pieces in
                pieces[0] = UnsafeRawBufferPointer(envelope)
                pieces[1] = UnsafeRawBufferPointer(rebasing: frame[FrameHeader.size...])
                do throws(DiskError) {
                    try file.write(UnsafeBufferPointer(pieces), at: offset)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }

    /// Starts the next segment where the last one ends. The last one is synced first: a segment that has a successor is
    /// trusted whole after a crash.
    private func roll(_ part: Part) throws(DiskError) {
        if let old = part.file, part.dirty.last === old {
            try old.sync()
            part.dirty.removeLast()
        }
        let segment = Segment(base: part.segments.last?.end ?? 0)
        let file = try Segment.makeFile(part.shard.path, on: part.shard.disk, base: segment.base)
        part.segments.append(segment)
        part.file = file
        part.dirty.append(file)
    }

    private func sync(_ part: Part) {
        do throws(DiskError) {
            for file in part.dirty { try file.sync() }
            if part.closes {
                try part.shard.disk.replace(part.shard.path + "/" + ShardFolder.closedName, with: [1])
            }
        } catch {
            // After a failed sync the kernel may have dropped the pages and call the next sync a success. Nothing of the
            // group is trusted: the bytes are written again, by whoever sends them again, over the same place.
            logger.error("a sync failed", metadata: ["shard": "\(part.shard.ref)", "error": "\(error)"])
            part.failure =
                error.isOutOfSpace
                ? .unavailable(error.description, retryAfter: .seconds(1)) : .unknown(error.description)
        }
    }

    /// Shows readers what is durable, or cuts off what is not.
    private func publish(_ part: Part) {
        if part.failure != nil {
            cut(part)
            return
        }
        do throws(ShardLogError) {
            try part.shard.with { state throws(ShardLogError) in
                // Somebody opened the shard while the group was written: its tail is without the group, and stays so. But a
                // shard that is sealed on disk is sealed.
                if state.owner != part.owner, !part.closes {
                    throw ShardLogError.conflict(actual: Position(rawValue: state.tail))
                }
                // A trim may have removed segments from the front meanwhile.
                let first = state.segments.first?.base ?? 0
                state.segments = part.segments.filter { $0.base >= first }
                state.first = max(state.first, state.segments.first?.first ?? 0)
                state.active = part.file
                if part.closes { state.isClosed = true }
            }
        } catch {
            part.failure = error
            cut(part)
        }
        part.shard.waiters.wake()
    }

    /// Removes the bytes of a failed group, so that a restart does not find them. Best effort: they lie behind the tail.
    private func cut(_ part: Part) {
        do throws(ShardLogError) {
            try part.shard.with { state throws(ShardLogError) in
                state.active = nil
                do throws(DiskError) {
                    for segment in part.segments.dropFirst(part.durableSegments) {
                        try part.shard.disk.remove(part.shard.path + "/" + segment.name)
                    }
                    if part.segments.count > part.durableSegments { try part.shard.disk.syncFolder(part.shard.path) }
                    if let last = state.segments.last {
                        try part.shard.disk.open(part.shard.path + "/" + last.name, .write).truncate(to: last.size)
                    }
                } catch {
                    logger.warning("bytes of a failed append stay behind the tail", metadata: ["error": "\(error)"])
                }
            }
        } catch {
            logger.warning("a failed append's shard is gone", metadata: ["shard": "\(part.shard.ref)"])
        }
    }

    /// Keeps the number of open files down when very many shards are written.
    private let opened = Mutex<[ObjectIdentifier: ShardFolder]>([:])

    private func releaseFiles(_ parts: [Part]) {
        let surplus = opened.withLock { opened in
            for part in parts { opened[ObjectIdentifier(part.shard)] = part.shard }
            guard opened.count > configuration.openFileLimit else { return [ShardFolder]() }
            let kept = Set(parts.map { ObjectIdentifier($0.shard) })
            defer { opened = opened.filter { kept.contains($0.key) } }
            return opened.filter { !kept.contains($0.key) }.map(\.value)
        }
        for shard in surplus { shard.releaseFile() }
    }
}

/// A flag that one thread waits for.
private final class Signal: @unchecked Sendable {
    // Both live at fixed addresses and are made for being shared between threads; `isRaised` is guarded by `mutex`.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isRaised = false

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func raise() {
        pthread_mutex_lock(mutex)
        isRaised = true
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Returns at once when it was raised since the last return.
    func wait() {
        pthread_mutex_lock(mutex)
        while !isRaised { pthread_cond_wait(condition, mutex) }
        isRaised = false
        pthread_mutex_unlock(mutex)
    }
}
