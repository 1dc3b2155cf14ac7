import Glibc

/// The last operations, for the message of a test that failed. Put into words only when they are asked for.
struct SimulatedTrace {
    struct Event {
        var operation: String
        var path: String
        /// Offset and count of a write or read.
        var extent: (offset: UInt64, count: Int)?
        /// Where something was moved to, or what a call came to.
        var detail: String = ""
        /// The error's number, 0 for none.
        var outcome: Int32 = 0
    }

    private let limit: Int
    private var events: [Event] = []
    private var count = 0

    /// Keeps `limit` operations, at least one.
    init(limit: Int) { self.limit = max(limit, 1) }

    mutating func note(_ event: Event) {
        if events.count < limit { events.append(event) } else { events[count % limit] = event }
        count += 1
    }

    /// One line for each operation, the oldest first.
    var lines: [String] {
        (max(0, count - limit)..<count).map { number in
            let event = events[number % limit]
            var line = "\(number) \(event.operation) \(event.path)"
            if let extent = event.extent { line += " \(extent.offset)+\(extent.count)" }
            if !event.detail.isEmpty { line += " " + event.detail }
            if event.outcome != 0 { line += ": " + String(cString: strerror(event.outcome)) }
            return line
        }
    }
}
