import AWSClient
import AWSProtocol
import ArgumentParser
import Glibc
import Synchronization

struct Tail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a stream's records, of all its shards, as they arrive.",
        discussion: "A shard that was split or merged is shown to its end before its children."
    )

    @Argument(help: "The stream's name.")
    var stream: String

    @Option(help: "LATEST, TRIM_HORIZON, or a time such as 2026-11-21T06:00:00Z or seconds since 1970.")
    var from: String = "LATEST"

    @Flag(inversion: .prefixedNo, help: "Wait for more at the tip.")
    var follow = true

    @OptionGroup var connection: Connection

    func run() async throws {
        let start = try position()
        // Being told to stop is how following ends: no failure, and no words.
        for end in [SIGINT, SIGTERM] { signal(end) { _ in _exit(0) } }
        try await connection.with { kinesis in
            try await Follower(
                kinesis: kinesis,
                stream: stream,
                follows: follow,
                isJSON: connection.output == .json
            ).run(from: start)
        }
    }

    private func position() throws -> KinesisClient.IteratorPosition {
        switch from.uppercased().replacing("-", with: "_") {
        case "LATEST": return .latest
        case "TRIM_HORIZON": return .trimHorizon
        default:
            if let seconds = Double(from), (0...1e11).contains(seconds) { return .atTimestamp(Int64(seconds * 1000)) }
            let basic = from.filter { $0 != "-" && $0 != ":" }
            if let time = SigV4Time.milliseconds(basic) { return .atTimestamp(time) }
            throw ValidationError("--from '\(from)': LATEST, TRIM_HORIZON or a time is expected")
        }
    }
}

/// Follows every shard in a task of its own; children start when all their parents have been shown to their ends.
private final class Follower: Sendable {
    private let kinesis: KinesisClient
    private let stream: String
    private let follows: Bool
    private let isJSON: Bool
    private let progress = Mutex(Progress())

    private struct Progress {
        var started: Set<String> = []
        var finished: Set<String> = []
    }

    init(kinesis: KinesisClient, stream: String, follows: Bool, isJSON: Bool) {
        self.kinesis = kinesis
        self.stream = stream
        self.follows = follows
        self.isJSON = isJSON
    }

    func run(from start: KinesisClient.IteratorPosition) async throws {
        let shards = try await kinesis.listShards(stream)
        let listed = Set(shards.map(\.shardID))
        // The newest records are those of open shards; otherwise everything begins where no parent is left.
        let first = shards.filter { shard in
            start == .latest
                ? shard.endingSequenceNumber == nil : !shard.parentShardIDs.contains(where: listed.contains)
        }
        if start == .latest {
            let closed = shards.filter { $0.endingSequenceNumber != nil }.map(\.shardID)
            progress.withLock { $0.finished = Set(closed) }
        }
        try await withThrowingTaskGroup(of: [ChildShard].self) { group in
            for shard in first { begin(shard.shardID, start, &group) }
            while let children = try await group.next() {
                for child in children { beginChild(child, listed, &group) }
            }
        }
    }

    private func begin(
        _ shard: String,
        _ start: KinesisClient.IteratorPosition,
        _ group: inout ThrowingTaskGroup<[ChildShard], any Error>
    ) {
        guard progress.withLock({ $0.started.insert(shard).inserted }) else { return }
        group.addTask { try await self.show(shard, start) }
    }

    private func beginChild(
        _ child: ChildShard,
        _ listed: Set<String>,
        _ group: inout ThrowingTaskGroup<[ChildShard], any Error>
    ) {
        let isReady = progress.withLock { progress in
            child.parentShards.allSatisfy {
                progress.finished.contains($0) || !progress.started.contains($0) && !listed.contains($0)
            }
        }
        if isReady { begin(child.shardID, .trimHorizon, &group) }
    }

    private func show(_ shard: String, _ start: KinesisClient.IteratorPosition) async throws -> [ChildShard] {
        var iterator = try await kinesis.getShardIterator(stream: stream, shard: shard, position: start)
        var last: String?
        while true {
            guard let page = try await page(&iterator, shard, start, last) else { continue }
            for record in page.records { show(record, shard) }
            last = page.records.last?.sequenceNumber ?? last
            guard let next = page.nextShardIterator else {
                _ = progress.withLock { $0.finished.insert(shard) }
                return page.childShards
            }
            iterator = next
            if page.millisBehindLatest == 0, page.records.isEmpty, !follows { return [] }
            // Five calls a second and shard are allowed.
            try await Task.sleep(for: page.millisBehindLatest > 0 ? .milliseconds(20) : .milliseconds(250))
        }
    }

    /// The next page; nil when it is to be asked for again, with another iterator or later.
    private func page(
        _ iterator: inout String,
        _ shard: String,
        _ start: KinesisClient.IteratorPosition,
        _ last: String?
    ) async throws -> GetRecordsResult? {
        do {
            return try await kinesis.getRecords(iterator)
        } catch {
            if error.serviceCode == "ExpiredIteratorException" {
                let position = last.map { KinesisClient.IteratorPosition.afterSequenceNumber($0) } ?? start
                iterator = try await kinesis.getShardIterator(stream: stream, shard: shard, position: position)
            } else if error.isThrottle {
                try await Task.sleep(for: .seconds(1))
            } else {
                throw error
            }
            return nil
        }
    }

    private func show(_ record: KinesisRecord, _ shard: String) {
        if !isJSON {
            let head = Output.dim("\(Output.time(record.approximateArrivalMilliseconds)) \(shard)")
            Output.line(
                "\(head) \(Output.cyan(Output.printable(Array(record.partitionKey.utf8)))) \(Output.printable(record.data))"
            )
            return
        }
        Output.json { json in
            json.name("shardId")
            json.string(shard)
            json.name("sequenceNumber")
            json.string(record.sequenceNumber)
            json.name("partitionKey")
            json.string(record.partitionKey)
            json.name("arrival")
            json.timestamp(milliseconds: record.approximateArrivalMilliseconds)
            if let text = String(validating: record.data, as: UTF8.self) {
                json.name("text")
                json.string(text)
            } else {
                json.name("dataBase64")
                json.string(KinesisClient.base64(record.data))
            }
        }
    }
}
