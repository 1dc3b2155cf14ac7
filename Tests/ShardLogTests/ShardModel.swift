import ShardLog

@testable import DiskIO
@testable import EmbeddedLog

/// What one shard's log must hold.
struct ShardModel {
    /// A frame that was appended.
    struct Asked {
        var number: Int
        var arrival: Int64
    }

    /// A frame in the log.
    struct Found: Equatable {
        var number: Int
        var position: Position
        var arrival: Int64
    }

    private struct Attempt {
        var id: Int
        var frames: [Asked]
    }

    var isCreated = false
    var isDeletionAsked = false
    var isCloseAsked = false
    var isClosed = false
    var appender: EmbeddedAppender?
    /// Acknowledged, or found after a restart.
    private var frames: [Found] = []
    /// Not answered, or answered with `unknown`: a restart may find a beginning of them.
    private var attempts: [Attempt] = []
    private var lastAttempt = 0
    /// Positions up to here are taken for good.
    private var highest = Position.start
    /// What stands before is trimmed, or may be.
    private var trimmedTo = Position.start
    private var trimAskedTo = Position.start

    /// What readers must see.
    private var visible: ArraySlice<Found> { frames.drop { $0.position < trimmedTo } }

    // MARK: - Changes

    mutating func ask(_ frames: [Asked]) -> Int {
        lastAttempt += 1
        attempts.append(Attempt(id: lastAttempt, frames: frames))
        return lastAttempt
    }

    /// Set by the first answer that can't be.
    private(set) var wrong: String?

    mutating func answer(_ id: Int, _ result: Result<[Position], ShardLogError>) {
        guard let at = attempts.firstIndex(where: { $0.id == id }) else { return }
        switch result {
        case .success(let positions):
            let asked = attempts[at].frames
            // What failed before stands behind the tail that these frames have moved.
            attempts.removeFirst(at + 1)
            if positions.count != asked.count { wrong = "\(positions.count) positions for \(asked.count) frames" }
            for (frame, position) in zip(asked, positions) {
                if position <= highest { wrong = "position \(position) is given out again, behind \(highest)" }
                highest = position
                frames.append(Found(number: frame.number, position: position, arrival: frame.arrival))
            }
        case .failure(.unknown): break
        case .failure: attempts.remove(at: at)
        }
    }

    /// Returns the first position that is to be kept.
    mutating func askTrim(before time: Int64) -> Position {
        let first = visible.first { $0.arrival >= time }?.position ?? Position(rawValue: highest.rawValue + 1)
        trimAskedTo = max(trimAskedTo, first)
        return first
    }

    mutating func trimmed(to first: Position) { trimmedTo = max(trimmedTo, first) }

    func opened(tail: Position) -> String? {
        tail > highest || frames.isEmpty ? nil : "its tail is \(tail), behind \(highest)"
    }

    // MARK: - Checks

    /// Takes in what the next process finds; says what is wrong with it.
    mutating func restarted(with found: [Found], isClosed foundClosed: Bool) -> String? {
        if let wrong { return wrong }
        if isClosed, !foundClosed { return "it is open again" }
        if foundClosed, !isCloseAsked { return "it is closed" }
        let most = frames.firstIndex { $0.position >= trimmedTo } ?? frames.count
        let least = frames.firstIndex { $0.position >= max(trimmedTo, trimAskedTo) } ?? frames.count
        guard let start = (most...least).first(where: { found.starts(with: frames[$0...]) }) else {
            return "expected \(Self.text(frames[most...])), found \(Self.text(found[...]))"
        }
        let extra = found.dropFirst(frames.count - start)
        if !isPossible(extra) {
            return "behind \(frames.count - start) acknowledged frames stand \(Self.text(extra)), asked for were "
                + "\(attempts.map { $0.frames.map(\.number) })"
        }
        if let first = extra.first, first.position <= highest { return "\(first.position) is a position of before" }
        frames = found
        highest = max(highest, found.last?.position ?? .start)
        attempts = []
        isClosed = foundClosed
        (trimmedTo, trimAskedTo) = (.start, .start)
        return nil
    }

    /// Whether frames are a beginning of what was asked for: whole attempts in order, the last one perhaps in part.
    private func isPossible(_ extra: ArraySlice<Found>) -> Bool {
        var rest = extra.map(\.number)[...]
        for attempt in attempts {
            guard let first = rest.first else { return true }
            guard first == attempt.frames[0].number else { continue }
            let count = zip(rest, attempt.frames).prefix { $0 == $1.number }.count
            rest = rest.dropFirst(count)
            if count < attempt.frames.count { break }
        }
        return rest.isEmpty
    }

    func check(_ found: [Found], from position: Position, next: Position) -> String? {
        if let wrong { return wrong }
        let expected = visible.drop { $0.position < position }
        if expected.isEmpty != found.isEmpty || !expected.starts(with: found) {
            return "read from \(position): expected \(Self.text(expected)), found \(Self.text(found[...]))"
        }
        if let last = found.last, next <= last.position { return "it is read on from \(next) behind \(last.position)" }
        return nil
    }

    func check(_ bounds: LogBounds) -> String? {
        if let first = visible.first, bounds.first > first.position {
            return "begins at \(bounds.first), not at \(first)"
        }
        if bounds.tail <= highest, !frames.isEmpty { return "ends at \(bounds.tail), not behind \(highest)" }
        if bounds.last != visible.last?.position {
            return
                "its last frame is said to be \(String(describing: bounds.last)), and is \(String(describing: visible.last))"
        }
        return nil
    }

    func position(arrivedAtOrAfter time: Int64) -> Position? { visible.first { $0.arrival >= time }?.position }

    func position(atOrAfter position: Position) -> Position? { visible.first { $0.position >= position }?.position }

    // MARK: - Choices

    func anyPosition(_ dice: inout Dice) -> Position {
        frames.isEmpty || dice.happens(0.1) ? .start : frames[dice.below(frames.count)].position
    }

    func anyArrival(_ dice: inout Dice) -> Int64 {
        guard let first = frames.first, let last = frames.last else { return 0 }
        return first.arrival + Int64(dice.below(Int(last.arrival - first.arrival) + 4)) - 1
    }

    private static func text(_ frames: ArraySlice<Found>) -> String {
        let shown = frames.prefix(12).map { "\($0.number)@\($0.position)" }.joined(separator: " ")
        return
            "\(frames.count) [\(shown)\(frames.count > 12 ? " ... \(frames.last!.number)@\(frames.last!.position)" : "")]"
    }
}
