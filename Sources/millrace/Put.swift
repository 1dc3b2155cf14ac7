import AWSClient
import ArgumentParser
import Glibc

struct Put: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts a record, or each line of standard input.",
        discussion: "Without DATA, or with '-', every line of standard input becomes a record, without its newline."
    )

    @Argument(help: "The stream's name.")
    var stream: String

    @Argument(help: "The record's text.")
    var data: String?

    @Option(help: "The partition key of every record. (default: a random one for each)")
    var partitionKey: String?

    @Flag(help: "Make the stream, with one shard, when there is none.")
    var create = false

    @OptionGroup var connection: Connection

    func run() async throws {
        try await connection.with { kinesis in
            if create {
                do {
                    try await kinesis.createStream(stream, shards: 1)
                } catch let error as AWSClientError where error.serviceCode == "ResourceInUseException" {}
            }
            var sender = Sender(kinesis: kinesis, stream: stream, key: partitionKey, isJSON: connection.output == .json)
            if let data, data != "-" {
                try await sender.add(Array(data.utf8))
            } else {
                var lines = LineReader()
                do {
                    while let line = try lines.next() {
                        try await sender.add(line)
                        if !lines.hasMore { try await sender.flush() }
                    }
                } catch let problem as Problem {
                    try await sender.flush()
                    throw problem
                }
            }
            try await sender.flush()
            if connection.output == .table {
                Output.line("\(sender.count) \(sender.count == 1 ? "record" : "records") stored")
            }
        }
    }
}

/// Gathers records into PutRecords calls and makes them again for what failed.
private struct Sender {
    let kinesis: KinesisClient
    let stream: String
    let key: String?
    let isJSON: Bool
    private(set) var count = 0
    private var added = 0
    private var waiting: [KinesisClient.PutEntry] = []
    private var bytes = 0

    init(kinesis: KinesisClient, stream: String, key: String?, isJSON: Bool) {
        self.kinesis = kinesis
        self.stream = stream
        self.key = key
        self.isJSON = isJSON
    }

    mutating func add(_ data: [UInt8]) async throws {
        let key = key ?? String(UInt64.random(in: 0..<1_000_000_000))
        waiting.append(KinesisClient.PutEntry(data: data, partitionKey: key))
        bytes += data.count + key.utf8.count
        added += 1
        if waiting.count == 500 || bytes > 4 * 1024 * 1024 { try await flush() }
    }

    mutating func flush() async throws {
        var pause = Duration.milliseconds(100)
        while !waiting.isEmpty {
            let results = try await send()
            var failed: [KinesisClient.PutEntry] = []
            var reason = ""
            for (entry, result) in zip(waiting, results) {
                switch result {
                case .stored(let shard, let number):
                    count += 1
                    if isJSON {
                        Output.json { json in
                            json.name("shardId")
                            json.string(shard)
                            json.name("sequenceNumber")
                            json.string(number)
                        }
                    }
                case .failed(let code, let message):
                    failed.append(entry)
                    reason = "\(code): \(message)"
                }
            }
            waiting = failed
            if failed.isEmpty { break }
            guard pause < .seconds(10) else {
                throw Problem(description: "\(failed.count) records could not be stored, \(count) were: \(reason)")
            }
            try await Task.sleep(for: pause)
            pause *= 2
        }
        bytes = 0
    }

    /// One call. When it is refused, says where to go on before the refusal is told.
    private func send() async throws -> [KinesisClient.PutResult] {
        do {
            return try await kinesis.putRecords(stream, waiting)
        } catch {
            if added > 1 {
                Output.complain("\(count) of the first \(added) records are stored")
            }
            throw error
        }
    }
}

/// Lines of standard input.
private struct LineReader {
    /// The most bytes of a line: what a record may have, 10 MiB.
    private static let limit = 10 * 1024 * 1024

    private var buffer: [UInt8] = []
    private var start = 0
    /// Before this, behind `start`, stands no newline.
    private var searched = 0
    private var count = 0
    private var isAtEnd = false

    /// Whether another whole line is here already: reading on would not wait.
    var hasMore: Bool { buffer[searched...].contains(0x0A) }

    mutating func next() throws -> [UInt8]? {
        while true {
            if let newline = buffer[searched...].firstIndex(of: 0x0A) { return take(upTo: newline, next: newline + 1) }
            searched = buffer.count
            if isAtEnd { return start < buffer.count ? take(upTo: buffer.count, next: buffer.count) : nil }
            guard buffer.count - start <= Self.limit else {
                throw Problem(
                    description: "line \(count + 1) has more than \(Self.limit) bytes, more than a record may have; "
                        + "the lines before it are stored"
                )
            }
            buffer.removeSubrange(..<start)
            searched -= start
            start = 0
            try readMore()
        }
    }

    private mutating func take(upTo end: Int, next: Int) -> [UInt8] {
        defer { (start, searched, count) = (next, next, count + 1) }
        return Array(buffer[start..<end])
    }

    private mutating func readMore() throws {
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(STDIN_FILENO, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw Problem(description: "standard input can't be read: \(String(cString: strerror(errno)))")
            }
            isAtEnd = count == 0
            buffer += piece[..<count]
            return
        }
    }
}
