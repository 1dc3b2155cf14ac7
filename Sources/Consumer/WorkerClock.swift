import Glibc

/// The times a worker needs.
public protocol WorkerClock: Sendable {
    /// A clock that never goes back, from any origin. It counts while the machine sleeps.
    var now: Duration { get }
    /// Milliseconds since 1970.
    var wallMilliseconds: Int64 { get }
    /// Waits; throws `CancellationError` when the task is cancelled.
    func sleep(for duration: Duration) async throws
}

/// The machine's clocks.
public struct SystemWorkerClock: WorkerClock {
    private let origin = ContinuousClock.now

    /// Starts at zero.
    public init() {}

    public var now: Duration { ContinuousClock.now - origin }

    public var wallMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    public func sleep(for duration: Duration) async throws { try await ContinuousClock().sleep(for: duration) }
}
