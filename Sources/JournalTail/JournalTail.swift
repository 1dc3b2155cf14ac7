import CSystemd
import Glibc
import Synchronization

/// Reads the systemd journal, all boots of it, on a thread of its own.
///
/// An entry is named by journald's own number within a **numbering** (the `i=` and `s=` of its cursor), and a numbering by
/// a random source: so an entry has one name, whenever it is read, even when those before it were removed meanwhile.
/// Numbers that are missing in between are reported as gaps.
public final class JournalTail: Sendable {
    private let shared: SharedJournal
    private let configuration: JournalTailConfiguration
    private let randomNumber: @Sendable () -> UInt64
    private let onThreadStart: @Sendable () -> Void
    private let thread = Mutex<pthread_t?>(nil)

    /// Follows a journal. `restoring` are the checkpoints saved before. Throws `JournalTailError`.
    public convenience init(
        _ configuration: JournalTailConfiguration,
        restoring checkpoints: [JournalCheckpoint]
    ) throws(JournalTailError) {
        try self.init(configuration, restoring: checkpoints, onThreadStart: {})
    }

    /// `onThreadStart` runs on the reader's thread before all else; for tests.
    init(
        _ configuration: JournalTailConfiguration,
        restoring checkpoints: [JournalCheckpoint],
        randomNumber: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) },
        onThreadStart: @escaping @Sendable () -> Void
    ) throws(JournalTailError) {
        precondition(configuration.maxEntryBytes >= 256, "entries of at least 256 bytes")
        for match in configuration.matches {
            guard let equals = match.utf8.firstIndex(of: 0x3D), equals != match.utf8.startIndex else {
                throw .badMatch(match)
            }
        }
        self.configuration = configuration
        self.randomNumber = randomNumber
        self.onThreadStart = onThreadStart
        shared = try SharedJournal(checkpoints)
    }

    deinit { stop() }

    /// Rises whenever a numbering was met for the first time. Entries of `next` may be sent only when `checkpoints()` of
    /// this or a higher revision are durable; otherwise a crash could give them another source.
    public var revision: UInt64 { shared.progress.withLock { $0.revision } }

    /// Starts the reader's thread, once. `wake` is called on that thread when there is something for `next` or `notices`
    /// again. Throws `JournalTailError.outOfResources`.
    public func start(wake: @escaping @Sendable () -> Void = {}) throws(JournalTailError) {
        let reader = JournalReader(configuration, shared, randomNumber: randomNumber, wake: wake)
        let prepare = onThreadStart
        let work = Unmanaged.passRetained(
            ThreadWork {
                prepare()
                reader.run()
            }
        )
        let failure: Int32 = thread.withLock { thread in
            precondition(thread == nil, "started twice")
            var made = pthread_t()
            let result = pthread_create(&made, nil, runThreadWork, work.toOpaque())
            if result == 0 { thread = made }
            return result
        }
        if failure != 0 {
            work.release()
            throw .outOfResources(failure)
        }
    }

    /// The next entries, about `maxBytes` of them, at least one; nil when there are none now. Never waits.
    public func next(maxBytes: Int) -> JournalChunk? {
        let (chunk, hasRoom) = shared.progress.withLock { progress in
            let chunk = progress.take(maxBytes: maxBytes)
            let hasRoom = progress.isFull && progress.queuedBytes < configuration.queueBytes
            if hasRoom { progress.isFull = false }
            return (chunk, hasRoom)
        }
        if hasRoom { shared.signal() }
        return chunk
    }

    /// What happened since the last call.
    public func notices() -> [JournalNotice] {
        shared.progress.withLock { progress in
            defer { progress.notices = [] }
            return progress.notices
        }
    }

    /// All entries of a source up to `sequence`, which is the number of a delivered entry, are durable at the destination.
    public func acknowledge(_ source: UInt64, sequence: Int64) {
        shared.progress.withLock { $0.acknowledge(source, sequence: sequence) }
    }

    /// How far every numbering is acknowledged, to be saved.
    public func checkpoints() -> [JournalCheckpoint] { shared.progress.withLock { $0.checkpoints } }

    /// Entries read and not yet acknowledged, and the bytes of their records.
    public var lag: (entries: Int64, bytes: Int64) { shared.progress.withLock { $0.lag } }

    /// Ends the thread and waits for it. What was read and not taken stays.
    public func stop() {
        shared.progress.withLock { $0.isStopped = true }
        shared.signal()
        thread.withLock { thread in
            if let running = thread { pthread_join(running, nil) }
            thread = nil
        }
    }
}

/// What the thread and the owner share, and the descriptor that wakes the thread.
final class SharedJournal: Sendable {
    let progress: Mutex<JournalProgress>
    let event: Int32

    init(_ checkpoints: [JournalCheckpoint]) throws(JournalTailError) {
        progress = Mutex(JournalProgress(checkpoints))
        event = csystemd_wakeup_descriptor()
        if event < 0 { throw .outOfResources(errno) }
    }

    deinit { close(event) }

    /// Wakes the thread. The counter cannot overflow: the thread reads it whenever it wakes.
    func signal() {
        var one: UInt64 = 1
        _ = write(event, &one, 8)
    }
}

private final class ThreadWork {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}

private func runThreadWork(_ work: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let work { Unmanaged<ThreadWork>.fromOpaque(work).takeRetainedValue().body() }
    return nil
}
