/// Decides when a failure that repeats is logged: the first at once, then one line per period with a count, and one when it
/// is over.
struct TroubleLog: Sendable {
    private let period: Duration
    private var since: Int64?
    private var lastSaid: Int64 = 0
    private var tries = 0

    init(period: Duration = .seconds(30)) { self.period = period }

    /// Whether something is wrong now.
    var isTroubled: Bool { since != nil }

    /// Counts a failure; the line to log, if it is time for one. `now` in nanoseconds.
    mutating func failed(_ what: String, now: Int64) -> String? {
        tries += 1
        guard let since else {
            (self.since, lastSaid, tries) = (now, now, 1)
            return what + "; it is tried again until it works, and nothing is lost meanwhile"
        }
        guard now - lastSaid >= period.nanoseconds else { return nil }
        lastSaid = now
        return "still failing after \((now - since) / 1_000_000_000) s and \(tries) tries: \(what)"
    }

    /// Counts a success; the line to log when there was trouble before.
    mutating func succeeded(now: Int64) -> String? {
        guard let since else { return nil }
        self.since = nil
        return "works again after \((now - since) / 1_000_000_000) s and \(tries) failed tries"
    }
}
