/// Pauses between tries that double from a first to a longest one, each varied by 30 % so that many agents do not return
/// together.
struct Backoff: Sendable {
    let initial: Duration
    let longest: Duration
    /// Tries that failed in a row.
    private(set) var failures = 0

    init(initial: Duration, longest: Duration) {
        self.initial = initial
        self.longest = longest
    }

    /// Counts a failure; how long to wait now. `random` is from 0 up to 1.
    mutating func failed(random: Double) -> Duration {
        failures += 1
        let factor = failures > 40 ? Double.infinity : Double(UInt64(1) << UInt64(failures - 1))
        let seconds = min(initial.seconds * factor, longest.seconds)
        return .seconds(seconds * (0.7 + 0.6 * random))
    }

    /// A success: the next failure starts small again.
    mutating func succeeded() { failures = 0 }
}

extension Duration {
    /// In seconds.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
