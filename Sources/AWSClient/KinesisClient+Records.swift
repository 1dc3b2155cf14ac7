import AWSProtocol
import CChecksums

extension KinesisClient {
    /// Where an iterator starts.
    public enum IteratorPosition: Sendable, Hashable {
        /// The oldest record kept.
        case trimHorizon
        /// Behind the newest record.
        case latest
        /// The first record that arrived then or later, in milliseconds since 1970.
        case atTimestamp(Int64)
        /// This record.
        case atSequenceNumber(String)
        /// Behind this record.
        case afterSequenceNumber(String)
    }

    /// An iterator, good for five minutes.
    public func getShardIterator(
        stream: String,
        shard: String,
        position: IteratorPosition
    ) async throws(AWSClientError) -> String {
        let answer = try await call("GetShardIterator") { json in
            json.name("StreamName")
            json.string(stream)
            json.name("ShardId")
            json.string(shard)
            json.name("ShardIteratorType")
            switch position {
            case .trimHorizon: json.string("TRIM_HORIZON")
            case .latest: json.string("LATEST")
            case .atTimestamp(let time):
                json.string("AT_TIMESTAMP")
                json.name("Timestamp")
                json.timestamp(milliseconds: time)
            case .atSequenceNumber(let number):
                json.string("AT_SEQUENCE_NUMBER")
                json.name("StartingSequenceNumber")
                json.string(number)
            case .afterSequenceNumber(let number):
                json.string("AFTER_SEQUENCE_NUMBER")
                json.name("StartingSequenceNumber")
                json.string(number)
            }
        }
        guard let iterator = answer["ShardIterator"]?.string else { throw Self.incomplete("GetShardIterator") }
        return iterator
    }

    /// A page of a shard. Throws `badResponse` for data that is not base64.
    ///
    /// - Parameter limit: 1 to 10,000.
    public func getRecords(_ iterator: String, limit: Int = 10_000) async throws(AWSClientError) -> GetRecordsResult {
        try GetRecordsResult(
            try await call("GetRecords") { json in
                json.name("ShardIterator")
                json.string(iterator)
                json.name("Limit")
                json.integer(limit)
            }
        )
    }

    /// One record to put.
    public struct PutEntry: Sendable {
        /// The payload, up to 1 MiB with the key.
        public var data: [UInt8]
        /// 1 to 256 characters.
        public var partitionKey: String

        /// A record.
        public init(data: [UInt8], partitionKey: String) {
            self.data = data
            self.partitionKey = partitionKey
        }
    }

    /// What became of one entry.
    public enum PutResult: Sendable, Equatable {
        /// It is durable.
        case stored(shardID: String, sequenceNumber: String)
        /// It is not; the call may be made again for it.
        case failed(code: String, message: String)
    }

    /// Puts up to 500 records; answers in their order.
    public func putRecords(_ stream: String, _ entries: [PutEntry]) async throws(AWSClientError) -> [PutResult] {
        let answer = try await call("PutRecords") { json in
            json.name("StreamName")
            json.string(stream)
            json.name("Records")
            json.array { json in
                for entry in entries {
                    json.object { json in
                        json.name("Data")
                        json.raw { bytes in Self.appendBase64(entry.data, to: &bytes) }
                        json.name("PartitionKey")
                        json.string(entry.partitionKey)
                    }
                }
            }
        }
        guard let results = answer["Records"]?.array, results.count == entries.count else {
            throw Self.incomplete("PutRecords")
        }
        return results.map { result in
            if let code = result["ErrorCode"]?.string {
                return .failed(code: code, message: result["ErrorMessage"]?.string ?? "")
            }
            return .stored(
                shardID: result["ShardId"]?.string ?? "",
                sequenceNumber: result["SequenceNumber"]?.string ?? ""
            )
        }
    }

    /// The data as base64 text.
    public static func base64(_ data: [UInt8]) -> String {
        var bytes: [UInt8] = []
        appendBase64(data, to: &bytes)
        return String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self)
    }

    private static func appendBase64(_ data: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: (data.count + 2) / 3 * 4))
        bytes.withUnsafeMutableBufferPointer { target in
            _ = millrace_base64_encode(data, data.count, target.baseAddress! + start)
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// A record as GetRecords shows it.
public struct KinesisRecord: Sendable, Equatable {
    /// Decimal.
    public var sequenceNumber: String
    /// What chose the shard.
    public var partitionKey: String
    /// The payload.
    public var data: [UInt8]
    /// Milliseconds since 1970.
    public var approximateArrivalMilliseconds: Int64
}

/// A shard that continues a closed one.
public struct ChildShard: Sendable, Equatable {
    /// Such as `shardId-000000000001`.
    public var shardID: String
    /// One after a split, two after a merge.
    public var parentShards: [String]
}

/// A page of a shard.
public struct GetRecordsResult: Sendable {
    /// In order; often none.
    public var records: [KinesisRecord]
    /// nil at the end of a closed shard.
    public var nextShardIterator: String?
    /// 0 at the tip.
    public var millisBehindLatest: Int64
    /// At the end of a closed shard.
    public var childShards: [ChildShard]

    init(_ json: JSONValue) throws(AWSClientError) {
        var records: [KinesisRecord] = []
        for record in json["Records"]?.array ?? [] {
            guard let number = record["SequenceNumber"]?.string, let text = record["Data"]?.string,
                let data = Self.decode(text)
            else { throw AWSClientError(.badResponse, "GetRecords answered a record that can't be read") }
            records.append(
                KinesisRecord(
                    sequenceNumber: number,
                    partitionKey: record["PartitionKey"]?.string ?? "",
                    data: data,
                    approximateArrivalMilliseconds: Int64(
                        ((record["ApproximateArrivalTimestamp"]?.real ?? 0) * 1000).rounded()
                    )
                )
            )
        }
        self.records = records
        nextShardIterator = json["NextShardIterator"]?.string
        millisBehindLatest = json["MillisBehindLatest"]?.integer ?? 0
        childShards = (json["ChildShards"]?.array ?? []).compactMap { child in
            child["ShardId"]?.string.map {
                ChildShard(shardID: $0, parentShards: (child["ParentShards"]?.array ?? []).compactMap(\.string))
            }
        }
    }

    private static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { text in
            var isValid = true
            let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { bytes, count in
                let decoded = millrace_base64_decode(text.baseAddress, text.count, bytes.baseAddress)
                isValid = decoded >= 0
                count = max(0, decoded)
            }
            return isValid ? bytes : nil
        }
    }
}
