import Synchronization

/// Adds up without a lock.
struct Counter: ~Copyable, Sendable {
    private let sum = Atomic<Int>(0)

    func add(_ count: Int = 1) { sum.wrappingAdd(count, ordering: .relaxed) }

    var value: Int { sum.load(ordering: .relaxed) }
}

/// How values in milliseconds are spread, without a lock: a Prometheus histogram.
final class Histogram: Sendable {
    /// Upper bounds, in milliseconds; whatever is greater goes into one bucket more.
    static let bounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]

    private let buckets: InlineArray<13, Counter> = InlineArray { _ in Counter() }
    private let microseconds = Counter()

    func note(microseconds value: Int) {
        var bucket = 0
        while bucket < Self.bounds.count, value > Self.bounds[bucket] * 1000 { bucket += 1 }
        buckets[bucket].add()
        microseconds.add(value)
    }

    /// Values at most so great as each bound, cumulative, with all of them last; and their sum in milliseconds.
    var reading: (counts: [Int], sum: Double) {
        var counts: [Int] = []
        for bucket in buckets.indices { counts.append((counts.last ?? 0) + buckets[bucket].value) }
        return (counts, Double(microseconds.value) / 1000)
    }
}

/// The greatest value of the last minute, which may reach up to two back: what an alarm on a maximum looks at, however often
/// it is read.
final class RecentMaximum: Sendable {
    private struct State {
        var minute: Int64 = 0
        var current = 0
        var previous = 0

        mutating func move(to time: Int64) {
            let minute = time / 60_000
            if minute == self.minute { return }
            previous = minute == self.minute + 1 ? current : 0
            (current, self.minute) = (0, minute)
        }
    }

    private let state = Mutex(State())

    func note(_ value: Int, at now: Int64) {
        state.withLock { state in
            state.move(to: now)
            state.current = max(state.current, value)
        }
    }

    func value(at now: Int64) -> Int {
        state.withLock { state in
            state.move(to: now)
            return max(state.current, state.previous)
        }
    }
}
