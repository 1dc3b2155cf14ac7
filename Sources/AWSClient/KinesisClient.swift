import AWSProtocol

/// Kinesis Data Streams, typed.
public struct KinesisClient: Sendable {
    /// What makes the calls.
    public let client: AWSClient

    /// Calls through `client`.
    public init(_ client: AWSClient) { self.client = client }

    func call(_ operation: String, _ body: (inout JSONWriter) -> Void) async throws(AWSClientError) -> JSONValue {
        let answer = try await client.call(.kinesis, operation, body: jsonBytes(body)).body
        if answer.isEmpty { return .null }
        do throws(JSONSyntaxError) {
            return try JSONValue(parsing: answer)
        } catch {
            throw AWSClientError(.badResponse, "\(operation) was answered with text that is not JSON: \(error)")
        }
    }

    /// Makes a stream of `shards` shards, or an on-demand stream when nil.
    public func createStream(_ name: String, shards: Int?) async throws(AWSClientError) {
        _ = try await call("CreateStream") { json in
            json.name("StreamName")
            json.string(name)
            if let shards {
                json.name("ShardCount")
                json.integer(shards)
            } else {
                json.name("StreamModeDetails")
                json.object { json in
                    json.name("StreamMode")
                    json.string("ON_DEMAND")
                }
            }
        }
    }

    /// Removes a stream and its records.
    public func deleteStream(_ name: String) async throws(AWSClientError) {
        _ = try await call("DeleteStream") { json in
            json.name("StreamName")
            json.string(name)
        }
    }

    /// What a stream is, without its shards.
    public struct StreamSummary: Sendable {
        /// Its name.
        public var name: String
        /// Such as `ACTIVE`.
        public var status: String
        /// `PROVISIONED` or `ON_DEMAND`.
        public var mode: String
        /// Shards that take records.
        public var openShards: Int
        /// How long records are kept.
        public var retentionHours: Int
        /// Milliseconds since 1970.
        public var createdMilliseconds: Int64
    }

    /// Describes a stream. Throws `service` ResourceNotFoundException.
    public func describeStreamSummary(_ name: String) async throws(AWSClientError) -> StreamSummary {
        let answer = try await call("DescribeStreamSummary") { json in
            json.name("StreamName")
            json.string(name)
        }
        guard let summary = answer["StreamDescriptionSummary"] else { throw Self.incomplete("DescribeStreamSummary") }
        return StreamSummary(
            name: summary["StreamName"]?.string ?? name,
            status: summary["StreamStatus"]?.string ?? "",
            mode: summary["StreamModeDetails"]?["StreamMode"]?.string ?? "PROVISIONED",
            openShards: Int(summary["OpenShardCount"]?.integer ?? 0),
            retentionHours: Int(summary["RetentionPeriodHours"]?.integer ?? 0),
            createdMilliseconds: Int64((summary["StreamCreationTimestamp"]?.real ?? 0) * 1000)
        )
    }

    /// Every stream's name, sorted; all pages.
    public func listStreams() async throws(AWSClientError) -> [String] {
        var names: [String] = []
        while true {
            let last = names.last
            let answer = try await call("ListStreams") { json in
                json.name("Limit")
                json.integer(1000)
                if let last {
                    json.name("ExclusiveStartStreamName")
                    json.string(last)
                }
            }
            let page = (answer["StreamNames"]?.array ?? []).compactMap(\.string)
            names += page
            if answer["HasMoreStreams"]?.bool != true || page.isEmpty { return names }
        }
    }

    /// A shard as ListShards shows it.
    public struct ShardDescription: Sendable {
        /// Such as `shardId-000000000000`.
        public var shardID: String
        /// The shards it was split or merged from.
        public var parentShardIDs: [String]
        /// Decimal.
        public var startingHashKey: String
        /// Decimal.
        public var endingHashKey: String
        /// Decimal.
        public var startingSequenceNumber: String
        /// Decimal; nil while the shard is open.
        public var endingSequenceNumber: String?
    }

    /// A stream's shards, open and closed; all pages. `filter` is a `ShardFilter` type such as `AT_LATEST`.
    public func listShards(
        _ stream: String,
        filter: String? = nil,
        timestampMilliseconds: Int64? = nil
    ) async throws(AWSClientError) -> [ShardDescription] {
        var shards: [ShardDescription] = []
        var token: String?
        repeat {
            let from = token
            let answer = try await call("ListShards") { json in
                if let from {
                    json.name("NextToken")
                    json.string(from)
                    return
                }
                json.name("StreamName")
                json.string(stream)
                if let filter {
                    json.name("ShardFilter")
                    json.object { json in
                        json.name("Type")
                        json.string(filter)
                        if let timestampMilliseconds {
                            json.name("Timestamp")
                            json.timestamp(milliseconds: timestampMilliseconds)
                        }
                    }
                }
            }
            for shard in answer["Shards"]?.array ?? [] {
                guard let id = shard["ShardId"]?.string, let keys = shard["HashKeyRange"],
                    let numbers = shard["SequenceNumberRange"]
                else { throw Self.incomplete("ListShards") }
                shards.append(
                    ShardDescription(
                        shardID: id,
                        parentShardIDs: ["ParentShardId", "AdjacentParentShardId"].compactMap { shard[$0]?.string },
                        startingHashKey: keys["StartingHashKey"]?.string ?? "0",
                        endingHashKey: keys["EndingHashKey"]?.string ?? "0",
                        startingSequenceNumber: numbers["StartingSequenceNumber"]?.string ?? "0",
                        endingSequenceNumber: numbers["EndingSequenceNumber"]?.string
                    )
                )
            }
            token = answer["NextToken"]?.string
        } while token != nil
        return shards
    }

    /// Closes a shard and opens two; `newStartingHashKey` is decimal.
    public func splitShard(_ stream: String, shard: String, newStartingHashKey: String) async throws(AWSClientError) {
        _ = try await call("SplitShard") { json in
            json.name("StreamName")
            json.string(stream)
            json.name("ShardToSplit")
            json.string(shard)
            json.name("NewStartingHashKey")
            json.string(newStartingHashKey)
        }
    }

    /// Closes two neighbours and opens one.
    public func mergeShards(_ stream: String, lower: String, upper: String) async throws(AWSClientError) {
        _ = try await call("MergeShards") { json in
            json.name("StreamName")
            json.string(stream)
            json.name("ShardToMerge")
            json.string(lower)
            json.name("AdjacentShardToMerge")
            json.string(upper)
        }
    }

    static func incomplete(_ operation: String) -> AWSClientError {
        AWSClientError(.badResponse, "\(operation)'s answer lacks members that AWS always sends")
    }
}
