import AWSProtocol
import Logging
import ShardLog
import StateStore
import StreamKeys
import Synchronization
import Testing

@testable import Collector

/// A collector over in-memory engines with a clock of its own, spoken to in JSON as its clients do.
final class Service: Sendable {
    let log: any ShardLog
    let state: any StateStore
    let collector: Collector

    init(
        log: any ShardLog = MemoryShardLog(),
        state: any StateStore = MemoryStateStore(),
        configuration: Collector.Configuration = Collector.Configuration(),
        keys: KeySource = .memory
    ) async throws {
        self.log = log
        self.state = state
        let clock = Clock(milliseconds: 1_795_000_000_000)
        self.time = clock
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        collector = try await Collector.open(
            log: log,
            state: state,
            configuration: configuration,
            keys: KeyRing(keys, account: configuration.account, now: { clock.now }, logger: logger),
            now: { clock.now },
            logger: logger
        )
    }

    let time: Clock

    /// Stands still unless told.
    final class Clock: Sendable {
        private let state: Mutex<Int64>
        init(milliseconds: Int64) { state = Mutex(milliseconds) }
        var now: Int64 { state.withLock { $0 } }
        func advance(_ milliseconds: Int64) { state.withLock { $0 += milliseconds } }
    }

    @discardableResult
    func call(_ operation: String, _ json: String, producer: String? = nil) async throws -> JSONValue {
        let bytes = try await collector.kinesis(
            APIRequest(operation: operation, region: "eu-west-1", body: Array(json.utf8), producer: producer)
        ).bytes
        return bytes.isEmpty ? .null : try JSONValue(parsing: bytes)
    }

    func put(_ stream: String, _ records: [(key: String, data: String)], producer: String? = nil) async throws
        -> JSONValue
    {
        let list = records.map { #"{"Data":"\#(Base64.encode(Array($0.data.utf8)))","PartitionKey":"\#($0.key)"}"# }
        return try await call(
            "PutRecords",
            #"{"StreamName":"\#(stream)","Records":[\#(list.joined(separator: ","))]}"#,
            producer: producer
        )
    }

    func iterator(_ stream: String, _ shard: String, _ type: String, _ more: String = "") async throws -> String {
        let answer = try await call(
            "GetShardIterator",
            #"{"StreamName":"\#(stream)","ShardId":"\#(shard)","ShardIteratorType":"\#(type)"\#(more)}"#
        )
        return try #require(answer["ShardIterator"]?.string)
    }

    /// Everything from an iterator to the tip, or to the end of a closed shard.
    func read(_ iterator: String, limit: Int = 1000) async throws -> (records: [JSONValue], end: JSONValue) {
        var (next, records, answer) = (Optional(iterator), [JSONValue](), JSONValue.null)
        while let at = next {
            answer = try await call("GetRecords", #"{"ShardIterator":"\#(at)","Limit":\#(limit)}"#)
            let page = try #require(answer["Records"]?.array)
            records += page
            next = answer["NextShardIterator"]?.string
            if page.isEmpty, answer["MillisBehindLatest"]?.integer == 0 { break }
        }
        return (records, answer)
    }

    func shards(_ stream: String) async throws -> [JSONValue] {
        try #require(try await call("ListShards", #"{"StreamName":"\#(stream)"}"#)["Shards"]?.array)
    }

    /// The data of every record of every shard, by shard.
    func contents(_ stream: String) async throws -> [String: [String]] {
        var all: [String: [String]] = [:]
        for shard in try await shards(stream) {
            let id = try #require(shard["ShardId"]?.string)
            all[id] = try await read(try await iterator(stream, id, "TRIM_HORIZON")).records.map(data)
        }
        return all
    }

    func data(_ record: JSONValue) -> String {
        String(decoding: record["Data"]?.string.flatMap(Base64.decode) ?? [], as: UTF8.self)
    }
}
