import Foundation
import JournalTail

/// A journald of the test's own, by `journald-in-namespace.sh`. Ends with it.
final class Journald {
    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    let folder: String
    var journal: String { "\(folder)/journal" }
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let errors: String

    init(most: String = "4M") throws {
        guard geteuid() == 0 else {
            throw Failed(description: "these tests start a journald of their own: run them as root")
        }
        folder = "\(NSTemporaryDirectory())journald-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        errors = "\(folder)/errors.log"
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("journald-in-namespace.sh").path
        guard FileManager.default.createFile(atPath: errors, contents: nil) else { throw Failed(description: errors) }
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [script, folder, most]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle(forWritingAtPath: errors)
        try process.run()
        try finished("starting journald in a namespace")
    }

    deinit {
        try? input.fileHandleForWriting.close()
        // unshare takes what is in the namespace with it.
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Runs a shell command, or a function of the script, beside journald.
    func run(_ command: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data("\(command.replacing("\n", with: ";"))\n".utf8))
        try finished(command)
    }

    private func finished(_ what: String) throws {
        var text = ""
        while !text.hasSuffix("\n") {
            var ready = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 60_000) > 0 else { throw Failed(description: "\(what): not done within 60 s") }
            let data = output.fileHandleForReading.availableData
            text += String(decoding: data, as: UTF8.self)
            if data.isEmpty { break }
        }
        guard text == "=done 0\n" else {
            let reason = [errors, "\(folder)/commands.log"].compactMap {
                try? String(contentsOfFile: $0, encoding: .utf8)
            }
            throw Failed(description: "\(what): \(text) \(reason.joined(separator: "\n"))")
        }
    }

    /// Every entry that is there now, as journalctl shows them.
    func entries() throws -> [[String: Any]] {
        let shown = Process()
        let pipe = Pipe()
        shown.executableURL = URL(fileURLWithPath: "/usr/bin/journalctl")
        shown.arguments = ["--directory", journal, "--output", "json", "--all", "--no-pager", "--quiet"]
        shown.standardOutput = pipe
        try shown.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        shown.waitUntilExit()
        return try data.split(separator: 10).map {
            guard let object = try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any] else {
                throw Failed(description: "journalctl wrote something else")
            }
            return object
        }
    }

    /// Number of the newest entry.
    func lastSequence() throws -> Int64 {
        let shown = try entries().last?["__CURSOR"] as? String
        let part = shown?.split(separator: ";").first { $0.hasPrefix("i=") }
        guard let part, let number = Int64(part.dropFirst(2), radix: 16) else { throw Failed(description: "no entry") }
        return number
    }

    var files: [String] {
        let all = FileManager.default.enumerator(atPath: journal)?.compactMap { $0 as? String } ?? []
        return all.filter { $0.contains(".journal") }.sorted().map { "\(journal)/\($0)" }
    }
}

/// What arrived from a `JournalTail`, over restarts of it.
final class Received {
    struct Name: Hashable {
        var source: UInt64
        var sequence: Int64
    }

    var records: [Name: String] = [:]
    var order: [Name] = []
    var notices: [JournalNotice] = []
    var shortened = 0
    /// Numbers of entries that had arrived at a restart and were not acknowledged.
    var takenBack: Set<Int64> = []
    private var acknowledged = 0
    private var toAcknowledge: [(UInt64, Int64)] = []

    var gaps: Int64 {
        notices.reduce(0) { sum, notice in
            if case .gap(_, let count, _) = notice { return sum + count }
            return sum
        }
    }

    var texts: [String] { order.compactMap { records[$0] } }

    /// Takes what is there.
    @discardableResult
    func take(_ tail: JournalTail, maxBytes: Int = 1 << 20) throws -> Bool {
        notices += tail.notices()
        guard let chunk = tail.next(maxBytes: maxBytes) else { return false }
        var start = 0
        for (index, sequence) in chunk.sequences.enumerated() {
            let name = Name(source: chunk.source, sequence: sequence)
            let text = String(decoding: chunk.bytes[start..<chunk.recordEnds[index]], as: UTF8.self)
            start = chunk.recordEnds[index]
            if let before = records[name], before != text { throw Journald.Failed(description: "\(name) changed") }
            if records.updateValue(text, forKey: name) == nil { order.append(name) }
        }
        guard start == chunk.bytes.count else { throw Journald.Failed(description: "ends do not fit") }
        shortened += chunk.shortenedEntries
        toAcknowledge.append((chunk.source, chunk.sequences.last ?? 0))
        return true
    }

    func acknowledge(_ tail: JournalTail) {
        for (source, sequence) in toAcknowledge { tail.acknowledge(source, sequence: sequence) }
        toAcknowledge = []
        acknowledged = order.count
    }

    /// As after a restart.
    func forgetUnacknowledged() {
        takenBack.formUnion(order[acknowledged...].map(\.sequence))
        toAcknowledge = []
    }

    /// Takes until the condition holds, and acknowledges. Throws after `seconds`.
    func take(
        _ tail: JournalTail,
        until isEnough: @autoclosure () -> Bool,
        within seconds: Double = 20,
        _ what: String = ""
    ) throws {
        let end = Date(timeIntervalSinceNow: seconds)
        while !isEnough() {
            if try take(tail) { continue }
            guard Date() < end else {
                throw Journald.Failed(
                    description: "\(what) not within \(seconds) s; \(records.count) records, \(notices.suffix(20))"
                )
            }
            usleep(2000)
        }
        while try take(tail) {}
        acknowledge(tail)
    }
}
