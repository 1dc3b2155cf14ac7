import FileTail
import Foundation
import Testing

@Suite struct RotationPropertyTests {
    @Test(
        "whatever happens to the files, each line arrives once",
        arguments: (0..<400).map { UInt64($0) + Self.firstSeed }
    )
    func everyLineOnce(seed: UInt64) throws {
        var world = try RotatingWorld(seed: seed)
        do {
            for _ in 0..<120 { try world.step() }
            try world.finish()
        } catch {
            Issue.record("seed \(seed): \(error)\n\(world.shipper.log.suffix(160).joined(separator: "\n"))")
            return
        }
        let expected = world.written.sorted()
        let shipped = try world.shipper.lines()
        if shipped != expected {
            let missing = Set(expected).subtracting(shipped).sorted()
            let extra = Set(shipped).subtracting(expected).sorted()
            let counts = Dictionary(grouping: shipped) { $0 }.filter { $0.value.count > 1 }.keys.sorted()
            Issue.record(
                """
                seed \(seed): missing \(missing.prefix(3)) of \(missing.count), unknown \(extra.prefix(3)), \
                twice \(counts.prefix(3)) of \(counts.count)
                \(world.shipper.log.joined(separator: "\n"))
                """
            )
        }
    }

    /// Another stretch of seeds with MILLRACE_TEST_SEED.
    static var firstSeed: UInt64 {
        ProcessInfo.processInfo.environment["MILLRACE_TEST_SEED"].flatMap { UInt64($0) } ?? 1
    }
}

/// Two log files, rotated in every way, and an agent that reads, acknowledges and dies at random.
struct RotatingWorld {
    let folder = Folder()
    let shipper: Shipper
    var random: SeededRandom
    var written: [String] = []
    /// Text without its newline at the end of a live file.
    var partial: [String: String] = [:]
    /// Files whose only copy is the agent's open descriptor, or whose backup is there: the agent may not die now.
    var mustDrain = false
    var next = 0
    let matchesRotated: Bool
    let logs = ["app.log", "web.log"]

    init(seed: UInt64) throws {
        random = SeededRandom(state: seed)
        matchesRotated = Bool.random(using: &random)
        let pattern = matchesRotated ? "*.log*" : "*.log"
        var configuration = FileTailConfiguration(pattern: folder[pattern], initialPosition: .startOfFile)
        configuration.readChunkBytes = Int.random(in: 20...400, using: &random)
        configuration.maxOpenFiles = 64
        if Bool.random(using: &random) { configuration.maxRecordBytes = Int.random(in: 16...80, using: &random) }
        shipper = try Shipper(configuration)
        shipper.log.append("pattern \(pattern), chunk \(configuration.readChunkBytes)")
    }

    mutating func step() throws {
        let log = logs.randomElement(using: &random) ?? "app.log"
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: append(log)
        case 30..<36: try rotateByRename(log)
        case 36..<44: try copyTruncate(log)
        case 44..<47: try deleteWhileOpen(log)
        case 47..<49: try replace(log)
        case 49..<52: try backUp(log)
        case 52..<66: try shipper.refresh()
        case 66..<82:
            let count = Int.random(in: 1...5, using: &random)
            for _ in 0..<count { try shipper.ship(maxBytes: Int.random(in: 1...600, using: &random)) }
            shipper.log.append("read \(count)")
            return
        case 82..<90: shipper.acknowledge(Int.random(in: 0...40, using: &random))
        case 90..<94: shipper.save()
        default: try restart()
        }
    }

    mutating func append(_ log: String) {
        var text = ""
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let line = "\(log) line \(next) \(String(repeating: "é", count: Int.random(in: 0...30, using: &random)))"
            next += 1
            written.append(line)
            text += line + "\n"
        }
        if let before = partial.removeValue(forKey: log) {
            // The rest of a line that was begun.
            written.append(before + "-end")
            text = "-end\n" + text
        }
        if Int.random(in: 0..<4, using: &random) == 0 {
            let begun = "\(log) begun \(next)"
            next += 1
            partial[log] = begun
            text += begun
        }
        folder.append(text, to: log)
        shipper.log.append("append \(text.utf8.count) to \(log)\(partial[log].map { ", " + $0 } ?? "")")
    }

    /// A begun line stays as it is when its file is rotated.
    private mutating func close(_ log: String) {
        if let begun = partial.removeValue(forKey: log) { written.append(begun) }
    }

    /// What is renamed out of the pattern before anybody looked cannot be known of.
    private func look() throws {
        if !matchesRotated { try shipper.refresh() }
    }

    private mutating func shift(_ log: String) {
        for number in (1..<30).reversed() where folder.exists("\(log).\(number)") {
            folder.move("\(log).\(number)", "\(log).\(number + 1)")
        }
    }

    mutating func rotateByRename(_ log: String) throws {
        guard folder.exists(log) else { return }
        try look()
        close(log)
        shift(log)
        folder.move(log, "\(log).1")
        shipper.log.append("rename \(log)")
    }

    mutating func copyTruncate(_ log: String) throws {
        guard folder.exists(log) else { return }
        try look()
        close(log)
        shift(log)
        try folder.copy(log, "\(log).1")
        if Int.random(in: 0..<4, using: &random) == 0 {
            // The agent looks between the two steps.
            try shipper.refresh()
            try shipper.ship()
            shipper.log.append("(looked)")
        }
        folder.truncate(log)
        shipper.log.append("copytruncate \(log)")
        if Bool.random(using: &random) { append(log) }
    }

    mutating func deleteWhileOpen(_ log: String) throws {
        guard folder.exists(log), !folder.exists("\(log).bak") else { return }
        try shipper.refresh()
        close(log)
        folder.remove(log)
        mustDrain = true
        shipper.log.append("delete \(log)")
    }

    mutating func replace(_ log: String) throws {
        guard folder.exists(log), !folder.exists("\(log).bak") else { return }
        try shipper.refresh()
        close(log)
        let line = "\(log) replaced \(next)"
        next += 1
        written.append(line)
        folder.append(line + "\n", to: "tmp")
        folder.move("tmp", log)
        mustDrain = true
        shipper.log.append("replace \(log)")
    }

    /// A copy without truncation, for a while.
    mutating func backUp(_ log: String) throws {
        guard folder.exists(log), partial[log] == nil else { return }
        try shipper.refresh()
        if folder.exists("\(log).bak") {
            folder.remove("\(log).bak")
            shipper.log.append("remove \(log).bak")
        } else {
            try folder.copy(log, "\(log).bak")
            shipper.log.append("cp \(log) \(log).bak")
        }
    }

    mutating func restart() throws {
        for log in logs where folder.exists("\(log).bak") { folder.remove("\(log).bak") }
        if mustDrain { try shipper.drain() }
        mustDrain = false
        try shipper.restart()
        shipper.log.append("restart")
    }

    mutating func finish() throws {
        for log in logs {
            close(log)
            if folder.exists(log) { folder.append("\n", to: log) }
        }
        shipper.log.append("finish")
        try shipper.drain(rounds: 8)
    }
}
