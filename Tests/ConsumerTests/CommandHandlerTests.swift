import Foundation
import Logging
import Testing

@testable import Consumer

private func records(_ count: Int, size: Int = 10) -> [ConsumedRecord] {
    (0..<count).map {
        ConsumedRecord(
            sequenceNumber: String(1000 + $0),
            partitionKey: "k\($0)",
            data: [UInt8](repeating: 0x61, count: size),
            arrivalMilliseconds: 1_700_000_000_000
        )
    }
}

private let shard = ShardContext(stream: "s", shard: "shardId-000000000000")
private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

private func temporaryFolder() throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("consumer-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}

@Suite("The command handler, with real processes")
struct CommandHandlerTests {
    @Test("a command gets one line of JSON per record, and its shard, stream and attempt")
    func input() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = #"cat > "$1"; echo "$MILLRACE_STREAM $MILLRACE_SHARD_ID $MILLRACE_ATTEMPT" >> "$1""#
        let handler = CommandHandler(arguments: ["sh", "-c", script, "sh", "\(folder)/out"])
        let binary = ConsumedRecord(
            sequenceNumber: "7",
            partitionKey: "a\"b\n",
            data: [0xFF, 0x00, 0x41, 0x42],
            arrivalMilliseconds: 5
        )
        try await handler.handle([records(1)[0], binary], shard: shard, attempt: 3)
        let lines = try String(contentsOfFile: "\(folder)/out", encoding: .utf8).split(separator: "\n")
        try #require(lines.count == 3)
        #expect(
            lines[0] == #"{"shardId":"shardId-000000000000","sequenceNumber":"1000","partitionKey":"k0","#
                + #""approximateArrivalTimestamp":1700000000000,"data":"YWFhYWFhYWFhYQ==","text":"aaaaaaaaaa"}"#
        )
        let second = try #require(try JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any])
        #expect(second["partitionKey"] as? String == "a\"b\n")
        #expect((second["data"] as? String).flatMap { Data(base64Encoded: $0) } == Data(binary.data))
        #expect(second["text"] == nil)
        #expect(lines[2] == "s shardId-000000000000 3")
    }

    @Test("base64 agrees with Foundation's for every length")
    func base64() {
        for count in 0..<70 {
            let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            var bytes: [UInt8] = []
            RecordLine.appendBase64(data, to: &bytes)
            #expect(String(decoding: bytes, as: UTF8.self) == Data(data).base64EncodedString())
        }
    }

    @Test("a batch far larger than a pipe arrives whole")
    func large() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let handler = CommandHandler(arguments: ["sh", "-c", #"sleep 0.3; wc -l > "$1""#, "sh", "\(folder)/count"])
        try await handler.handle(records(4000, size: 1000), shard: shard, attempt: 1)
        let text = try String(contentsOfFile: "\(folder)/count", encoding: .utf8)
        #expect(text.trimmingCharacters(in: .whitespacesAndNewlines) == "4000")
    }

    @Test("a command that exits 0 without reading has finished its batch")
    func earlyExit() async throws {
        try await CommandHandler(arguments: ["true"]).handle(records(4000, size: 1000), shard: shard, attempt: 1)
    }

    @Test("a command that has exited has finished its batch, though something it started holds its input open")
    func grandchild() async throws {
        let clock = ContinuousClock()
        let time = try await clock.measure {
            try await CommandHandler(arguments: ["sh", "-c", "sleep 20 <&0 & exit 0"])
                .handle(records(20_000), shard: shard, attempt: 1)
        }
        #expect(time < .seconds(10))
    }

    @Test("another status, a signal and a missing program are failures")
    func failures() async throws {
        await #expect(throws: CommandError.failed("sh", status: 3)) {
            try await CommandHandler(arguments: ["sh", "-c", "exit 3"]).handle(records(1), shard: shard, attempt: 1)
        }
        await #expect(throws: CommandError.killed("sh", signal: 9)) {
            try await CommandHandler(arguments: ["sh", "-c", "kill -9 $$"]).handle(records(1), shard: shard, attempt: 1)
        }
        await #expect(throws: CommandError.notStarted("/nowhere/x", errno: ENOENT)) {
            try await CommandHandler(arguments: ["/nowhere/x"]).handle(records(1), shard: shard, attempt: 1)
        }
    }

    @Test("cancelling ends the command and what it started, even where SIGTERM is ignored")
    func cancelling() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = #"trap '' TERM; sleep 60 & echo "$! $$" > "$1.new"; mv "$1.new" "$1"; cat >/dev/null; wait"#
        var handler = CommandHandler(arguments: ["sh", "-c", script, "sh", "\(folder)/pids"])
        handler.grace = .milliseconds(200)
        let running = Task { [handler] in try await handler.handle(records(1), shard: shard, attempt: 1) }
        while !FileManager.default.fileExists(atPath: "\(folder)/pids") { try await Task.sleep(for: .milliseconds(10)) }
        let pids = try String(contentsOfFile: "\(folder)/pids", encoding: .utf8).split(whereSeparator: \.isWhitespace)
        let start = ContinuousClock.now
        running.cancel()
        await #expect(throws: (any Error).self) { try await running.value }
        #expect(ContinuousClock.now - start < .seconds(20))
        for pid in pids.compactMap({ pid_t($0) }) {
            // An orphan that was killed may wait a moment for init to reap it: a zombie runs no more.
            var isGone = false
            while !isGone, ContinuousClock.now - start < .seconds(20) {
                let state = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
                isGone = state == nil || state?.contains(") Z") == true || state?.contains(") X") == true
                if !isGone { try await Task.sleep(for: .milliseconds(10)) }
            }
            #expect(isGone)
        }
    }

    @Test("a failed batch is tried again until it succeeds, and only then counts as finished")
    func retries() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = #"echo "$MILLRACE_ATTEMPT" >> "$1"; [ "$MILLRACE_ATTEMPT" -ge 3 ]"#
        var policy = BatchPolicy()
        policy.initialBackoff = .milliseconds(5)
        let handlers = BatchHandlers(
            CommandHandler(arguments: ["sh", "-c", script, "sh", "\(folder)/tries"]),
            policy: policy,
            logger: quiet
        )
        let handler = try await handlers.begin(shard)
        #expect(try await handler.handle(records(3)) == "1002")
        #expect(try String(contentsOfFile: "\(folder)/tries", encoding: .utf8) == "1\n2\n3\n")
    }

    @Test("after the last attempt a batch goes to the dead-letter file and the shard goes on")
    func deadLetters() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var policy = BatchPolicy()
        policy.initialBackoff = .milliseconds(1)
        policy.maximumAttempts = 2
        let handlers = BatchHandlers(
            CommandHandler(arguments: ["false"]),
            policy: policy,
            deadLetters: DeadLetterFile(path: "\(folder)/dead"),
            logger: quiet
        )
        let handler = try await handlers.begin(shard)
        #expect(try await handler.handle(records(2)) == "1001")
        #expect(try await handler.handle(records(1)) == "1000")
        let lines = try String(contentsOfFile: "\(folder)/dead", encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3)
    }

    @Test("a dead letter that was torn by a full disk does not take the next one with it")
    func tornDeadLetter() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("{\"torn".utf8).write(to: URL(fileURLWithPath: "\(folder)/dead"))
        try await DeadLetterFile(path: "\(folder)/dead").append(records(2), shard: "s")
        let lines = try String(contentsOfFile: "\(folder)/dead", encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3)
        for line in lines.dropFirst() { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }

    @Test("a batch window keeps records, unfinished, until it is full or old")
    func window() async throws {
        let clock = ManualClock()
        var policy = BatchPolicy()
        policy.size = 4
        policy.window = .seconds(5)
        let handlers = BatchHandlers(CommandHandler(arguments: ["true"]), policy: policy, clock: clock, logger: quiet)
        let handler = try await handlers.begin(shard)
        #expect(try await handler.handle(records(3)) == nil)
        #expect(try await handler.lookAtTime() == nil)
        clock.advance(.seconds(5))
        #expect(try await handler.lookAtTime() == "1002")
        #expect(try await handler.handle(records(3)) == nil)
        #expect(try await handler.handle(Array(records(5)[3...])) == "1003")
        #expect(try await handler.finish(.stopping) == nil)
    }
}
