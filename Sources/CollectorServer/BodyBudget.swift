import Synchronization

/// Bounds the memory that strangers can make the server take: the bytes of all bodies whose sender is not known yet.
///
/// Each body has its first 64 KiB free, so that small requests never wait. What goes beyond is counted as it arrives.
/// When all is taken, a body that has more to say waits, the one that began first in front:
///
///     |<----------------- total ----------------->|<-- spare -->|
///     [ body 1 ][  body 2  ][ body 3 ][ ... ]      [ body 1 ]
///
/// Bodies that all wait for each other would wait for ever, so one of them, the oldest that waits, may also take from
/// `spare` until it is through: that is as much as a body may have, so it gets to its end and gives back all it held.
final class BodyBudget: Sendable {
    /// Bytes of each body that are not counted.
    static let free = 64 * 1024
    /// Bytes taken at a time.
    static let step = 256 * 1024
    /// Bodies that may wait at once. Each of them keeps what was read of it before it had to wait.
    static let waitersAtMost = 256

    /// What came of asking for more.
    enum Outcome {
        case granted, waits, refused
    }

    fileprivate struct Waiter {
        var age: UInt64
        var bytes: Int
        /// Takes the bytes it was given.
        var resume: @Sendable (Int) -> Void
    }

    private struct State {
        var held = 0
        var lastAge: UInt64 = 0
        /// The oldest body first.
        var waiters: [Waiter] = []
        /// The one body that may take from the spare.
        var favoured: UInt64?
    }

    private let total: Int
    private let spare: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - total: bytes of all bodies together.
    ///   - spare: bytes one body may have at most.
    init(total: Int, spare: Int) {
        self.total = total
        self.spare = spare + Self.step
    }

    /// Bytes that are counted now.
    var held: Int { state.withLock { $0.held } }
    /// Bodies that wait now.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// For a body that begins to arrive.
    func begin() -> BodyHold {
        BodyHold(
            self,
            age: state.withLock { state in
                state.lastAge += 1
                return state.lastAge
            }
        )
    }

    fileprivate func take(_ bytes: Int, _ age: UInt64, _ resume: @escaping @Sendable (Int) -> Void) -> Outcome {
        let (outcome, granted) = state.withLock { state -> (Outcome, [Waiter]) in
            if state.waiters.isEmpty, state.held + bytes <= total {
                state.held += bytes
                return (.granted, [])
            }
            // More of a body that waits already, as what was read before it had to: it goes on when it has room for all.
            if let place = state.waiters.firstIndex(where: { $0.age == age }) {
                state.waiters[place].bytes += bytes
                return (.waits, serve(&state))
            }
            guard state.waiters.count < Self.waitersAtMost else { return (.refused, []) }
            let place = state.waiters.firstIndex { $0.age > age } ?? state.waiters.count
            state.waiters.insert(Waiter(age: age, bytes: bytes, resume: resume), at: place)
            var granted = serve(&state)
            guard let own = granted.firstIndex(where: { $0.age == age }) else { return (.waits, granted) }
            granted.remove(at: own)
            return (.granted, granted)
        }
        for waiter in granted { waiter.resume(waiter.bytes) }
        return outcome
    }

    fileprivate func giveBack(_ bytes: Int, _ age: UInt64) {
        guard bytes > 0 else { return }
        let granted = state.withLock { state in
            state.held -= bytes
            if state.favoured == age { state.favoured = nil }
            return serve(&state)
        }
        for waiter in granted { waiter.resume(waiter.bytes) }
    }

    /// False when it was granted meanwhile.
    fileprivate func stopWaiting(_ age: UInt64) -> Bool {
        let (found, granted) = state.withLock { state -> (Bool, [Waiter]) in
            guard let place = state.waiters.firstIndex(where: { $0.age == age }) else { return (false, []) }
            state.waiters.remove(at: place)
            return (true, serve(&state))
        }
        for waiter in granted { waiter.resume(waiter.bytes) }
        return found
    }

    /// Takes those from the queue that may go on now.
    private func serve(_ state: inout State) -> [Waiter] {
        var granted: [Waiter] = []
        while let first = state.waiters.first {
            var place = 0
            if state.held + first.bytes > total {
                if let age = state.favoured {
                    guard let found = state.waiters.firstIndex(where: { $0.age == age }) else { break }
                    place = found
                }
                guard state.held + state.waiters[place].bytes <= total + spare else { break }
                state.favoured = state.waiters[place].age
            }
            let waiter = state.waiters.remove(at: place)
            state.held += waiter.bytes
            granted.append(waiter)
        }
        return granted
    }
}

/// What one body holds of the budget. Gives it back once, at the latest when nobody has it any more.
final class BodyHold: Sendable {
    private struct State {
        /// nil once they are given back.
        var granted: Int? = 0
        /// Asked for, and not granted yet.
        var pending = 0
    }

    private let budget: BodyBudget
    private let age: UInt64
    private let state = Mutex(State())

    fileprivate init(_ budget: BodyBudget, age: UInt64) {
        self.budget = budget
        self.age = age
    }

    deinit { release() }

    /// Asks for room for a body that has so many bytes by now. When it must wait, `resume` is called, on any thread, once
    /// it has the room; a body that grows while it waits asks for the rest.
    func grow(to count: Int, resume: @escaping @Sendable () -> Void) -> BodyBudget.Outcome {
        let bytes = state.withLock { state -> Int in
            guard let granted = state.granted else { return 0 }
            let missing = count - BodyBudget.free - granted - state.pending
            guard missing > 0 else { return 0 }
            let bytes = (missing + BodyBudget.step - 1) / BodyBudget.step * BodyBudget.step
            state.pending += bytes
            return bytes
        }
        guard bytes > 0 else { return .granted }
        let outcome = budget.take(bytes, age) { [self] bytes in
            credit(bytes)
            resume()
        }
        switch outcome {
        case .granted: credit(bytes)
        case .refused: state.withLock { $0.pending -= bytes }
        case .waits: break
        }
        return outcome
    }

    /// Stops waiting; false when the room was granted meanwhile.
    func stopWaiting() -> Bool {
        guard budget.stopWaiting(age) else { return false }
        state.withLock { $0.pending = 0 }
        return true
    }

    /// Gives back all it holds.
    func release() {
        let bytes = state.withLock { state -> Int in
            defer { state.granted = nil }
            return state.granted ?? 0
        }
        budget.giveBack(bytes, age)
    }

    private func credit(_ bytes: Int) {
        let isReleased = state.withLock { state -> Bool in
            state.pending -= bytes
            guard let granted = state.granted else { return true }
            state.granted = granted + bytes
            return false
        }
        if isReleased { budget.giveBack(bytes, age) }
    }
}
