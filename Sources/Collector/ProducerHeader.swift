import AWSProtocol

/// `x-millrace-producer`: which producer numbered which records of a request, so that a repeated record is dropped.
///
///     <producer, 16 hex digits>:<first sequence>+<count>[;<producer>:<first>+<count>...]
///
/// The stretches cover the request's records in order; within one, sequences are consecutive.
struct ProducerHeader: Sendable, Equatable {
    struct Stretch: Sendable, Equatable {
        var producer: UInt64
        var first: Int64
        var count: Int
    }

    private(set) var stretches: [Stretch] = []
    /// Records in all stretches.
    private(set) var count = 0

    /// Throws `InvalidArgumentException` for anything malformed.
    init(_ text: String) throws(AWSError) {
        for part in text.split(separator: ";", omittingEmptySubsequences: false) {
            guard let colon = part.firstIndex(of: ":"), let plus = part.lastIndex(of: "+"), colon < plus,
                let producer = UInt64(part[..<colon], radix: 16),
                let first = Int64(part[part.index(after: colon)..<plus]), first >= 0,
                let count = Int(part[part.index(after: plus)...]), count > 0, count <= 1_000_000,
                first <= Int64.max - Int64(count)
            else {
                throw .invalidArgument(
                    "x-millrace-producer must be <hex producer>:<first sequence>+<count>[;...], found a malformed part."
                )
            }
            stretches.append(Stretch(producer: producer, first: first, count: count))
            self.count += count
        }
    }
}

/// Hands out the producer and sequence of record after record.
struct SequenceCursor {
    struct Sequence {
        var producer: UInt64
        var number: Int64
    }

    private let stretches: [ProducerHeader.Stretch]
    private var stretch = 0
    private var used = 0

    init(_ header: ProducerHeader?) { stretches = header?.stretches ?? [] }

    mutating func next() -> Sequence? {
        guard stretch < stretches.count else { return nil }
        let current = stretches[stretch]
        defer {
            used += 1
            if used == current.count {
                stretch += 1
                used = 0
            }
        }
        return Sequence(producer: current.producer, number: current.first + Int64(used))
    }
}
