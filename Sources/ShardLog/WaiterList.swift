import Synchronization

/// Tasks that wait for a shard to move. Shared by the engines.
///
/// A wait costs one continuation and a place among the deadlines: thousands of them sleep beside each other, and the wake-up
/// goes straight to the task.
public final class WaiterList: Sendable {
    private struct State {
        var next: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Nobody waits.
    public init() {}

    /// Returns when woken, when `isReady` holds already, when the time is up, or when the task is cancelled. A wait may
    /// end a fiftieth of its time late, 100 ms at most.
    public func wait(upTo limit: Duration, isReady: @escaping @Sendable () -> Bool) async {
        guard limit > .zero else { return }
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        let deadline = WaitDeadlines.Deadline(after: limit)
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.waiting[id] = continuation }
                WaitDeadlines.shared.add(deadline, self, id)
                // Moved, or cancelled, between the look and the registration: nobody would wake us.
                if isReady() || Task.isCancelled { release(id) }
            }
        } onCancel: {
            release(id)
        }
        WaitDeadlines.shared.remove(deadline, self, id)
    }

    /// Wakes everybody.
    public func wake() {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
    }

    fileprivate func release(_ id: UInt64) {
        state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
    }
}

/// Ends waits whose time is up: one sleeping task for all of them, instead of a timer each.
///
/// Deadlines that lie close together fall into one slot, so a thousand waits of seconds wake the processor a few times.
private final class WaitDeadlines: Sendable {
    static let shared = WaitDeadlines()

    struct Deadline: Hashable, Comparable {
        /// In units of a millisecond since the program's start.
        private var slot: Int64

        private static let start = ContinuousClock.now

        /// Not before `limit` has passed; the next multiple of a fiftieth of it, or of 100 ms.
        init(after limit: Duration) {
            let limit = min(limit, .seconds(1 << 30))
            let grain = min(max(1, Self.milliseconds(limit) / 50), 100)
            slot = (Self.milliseconds(Self.start.duration(to: .now) + limit) / grain + 1) * grain
        }

        var instant: ContinuousClock.Instant { Self.start + .milliseconds(slot) }

        static func < (one: Deadline, other: Deadline) -> Bool { one.slot < other.slot }

        private static func milliseconds(_ duration: Duration) -> Int64 {
            duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        }
    }

    private struct Waiter: Hashable {
        let list: WaiterList
        let id: UInt64

        static func == (one: Waiter, other: Waiter) -> Bool { one.list === other.list && one.id == other.id }

        func hash(into hasher: inout Hasher) {
            hasher.combine(ObjectIdentifier(list))
            hasher.combine(id)
        }
    }

    private struct State {
        var slots: [Deadline: Set<Waiter>] = [:]
        /// The task that sleeps until the first slot, and that slot.
        var sleeper: (until: Deadline, task: Task<Void, Never>)?
    }

    private let state = Mutex(State())

    func add(_ deadline: Deadline, _ list: WaiterList, _ id: UInt64) {
        state.withLock { state in
            state.slots[deadline, default: []].insert(Waiter(list: list, id: id))
            if let sleeper = state.sleeper, sleeper.until <= deadline { return }
            state.sleeper?.task.cancel()
            sleep(until: deadline, &state)
        }
    }

    func remove(_ deadline: Deadline, _ list: WaiterList, _ id: UInt64) {
        state.withLock { state in
            state.slots[deadline]?.remove(Waiter(list: list, id: id))
            if state.slots[deadline]?.isEmpty == true { state.slots[deadline] = nil }
        }
    }

    private func sleep(until deadline: Deadline, _ state: inout State) {
        let task = Task {
            do {
                try await Task.sleep(until: deadline.instant, clock: .continuous)
                self.ring()
            } catch {
                // An earlier deadline has another task sleep.
            }
        }
        state.sleeper = (deadline, task)
    }

    /// Ends what is due, and sleeps on while anybody waits.
    private func ring() {
        let due = state.withLock { state in
            let now = ContinuousClock.now
            var due: [Waiter] = []
            for (deadline, waiters) in state.slots where deadline.instant <= now {
                due += waiters
                state.slots[deadline] = nil
            }
            state.sleeper = nil
            if let next = state.slots.keys.min() { sleep(until: next, &state) }
            return due
        }
        for waiter in due { waiter.list.release(waiter.id) }
    }
}
