import Synchronization

@testable import Consumer

/// A clock that goes on when it is told to, and at each sleep.
final class ManualClock: WorkerClock {
    private let time = Mutex(Duration.zero)

    var now: Duration { time.withLock { $0 } }
    var wallMilliseconds: Int64 { now.milliseconds }
    func advance(_ duration: Duration) { time.withLock { $0 += duration } }
    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        advance(duration)
        await Task.yield()
    }
}
