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
                while let line = try lines.next() {
                    try await sender.add(line)
                    if !lines.hasMore { try await sender.flush() }
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
        if waiting.count == 500 || bytes > 4 * 1024 * 1024 { try await flush() }
    }

    mutating func flush() async throws {
        var pause = Duration.milliseconds(100)
        while !waiting.isEmpty {
            let results = try await kinesis.putRecords(stream, waiting)
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
}

/// Lines of standard input, of any length.
private struct LineReader {
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    /// Whether another whole line is here already: reading on would not wait.
    var hasMore: Bool { buffer[start...].contains(0x0A) }

    mutating func next() throws -> [UInt8]? {
        while true {
            if let newline = buffer[start...].firstIndex(of: 0x0A) {
                defer { start = newline + 1 }
                return Array(buffer[start..<newline])
            }
            if isAtEnd {
                defer { start = buffer.count }
                return start < buffer.count ? Array(buffer[start...]) : nil
            }
            buffer.removeSubrange(..<start)
            start = 0
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = read(STDIN_FILENO, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw Problem(description: "standard input can't be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { isAtEnd = true }
            buffer += piece[..<count]
        }
    }
}
