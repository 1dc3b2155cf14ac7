/// What may be used per second, and how much of it may be saved up for one moment.
public struct Rate: Sendable, Hashable {
    /// Units per second: bytes, records or calls.
    public var perSecond: Int
    /// Units that may be used at once after a pause.
    public var burst: Int

    /// A rate; one second's worth may be used at once unless `burst` says otherwise.
    public init(perSecond: Int, burst: Int? = nil) {
        self.perSecond = perSecond
        self.burst = burst ?? perSecond
    }
}

/// A token bucket: it fills up at a rate, and what is used is taken out of it. A value of 16 bytes without a timer: time
/// comes in with each call, in milliseconds of any clock. A clock that jumps back takes nothing away and gives nothing.
///
///     level
///     burst ┤▔▔▔▔╲      ╱▔▔▔▔     full: a pause saves up no more than the burst
///           │     ╲    ╱
///         0 ┤──────╲──╱───────    below: used in advance, paid back at the rate
public struct TokenBucket: Sendable {
    /// Thousandths of a unit, so that a millisecond's share is a whole number.
    private var level: Int64 = 0
    /// When the level was that; the bucket is full before its first use.
    private var time = Int64.min

    /// Full.
    public init() {}

    /// An hour fills any bucket whose burst is less than an hour's worth; and no product below overflows with it.
    private static let longest: Int64 = 3_600_000

    /// Units that are there now, below zero after `spend`.
    public mutating func available(_ rate: Rate, at now: Int64) -> Int {
        fill(rate, now)
        return Int(level.quotientAndRemainder(dividingBy: 1000).quotient) - (level < 0 && level % 1000 != 0 ? 1 : 0)
    }

    /// Takes the units out when all of them are there.
    public mutating func take(_ count: Int, of rate: Rate, at now: Int64) -> Bool {
        guard available(rate, at: now) >= count else { return false }
        level -= Int64(count) * 1000
        return true
    }

    /// Takes units out whether they are there or not. To be called right after `available` of the same time.
    public mutating func spend(_ count: Int) { level -= Int64(count) * 1000 }

    /// Takes out what is saved up, so that nothing but what fills in from now on is there.
    public mutating func spendSavings() { level = min(level, 0) }

    private mutating func fill(_ rate: Rate, _ now: Int64) {
        let full = Int64(rate.burst) * 1000
        if time == .min {
            level = full
        } else if now > time {
            level = min(full, level + min(now - time, Self.longest) * Int64(rate.perSecond))
        } else {
            level = min(full, level)
        }
        time = now
    }
}
