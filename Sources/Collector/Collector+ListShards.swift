import AWSProtocol
import KinesisTypes
import StreamModel

/// ListShards and its filters.
extension Collector {
    /// The state of a listing: what a token must carry on.
    private struct Listing {
        var stream: String
        var uid: String
        var after: ShardID?
        var filter: String
        var issued: Int64
    }

    private static let tokenLifetimeMilliseconds: Int64 = 300_000

    func listShards(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try ListShardsRequest(body: request.body)
        var filter = asked.filter
        var after: ShardID?
        let record: StreamRecord
        if let token = asked.nextToken {
            guard let listing = Self.listing(token) else { throw .invalidArgument("Invalid NextToken.") }
            let (age, overflows) = now().subtractingReportingOverflow(listing.issued)
            guard !overflows, age <= Self.tokenLifetimeMilliseconds else {
                throw AWSError(
                    "ExpiredNextTokenException",
                    "The NextToken has expired. Tokens expire after 300 seconds."
                )
            }
            record = try stream(StreamReference(name: listing.stream), request.region).record
            guard record.uid == listing.uid else { throw notFound(listing.stream) }
            after = listing.after
            filter = Self.filter(listing.filter)
        } else {
            guard let reference = asked.stream else {
                throw .invalidArgument("Either NextToken or StreamName should be provided.")
            }
            record = try stream(reference, request.region).record
            if let time = asked.streamCreationTimestamp, time / 1000 != record.created / 1000 {
                throw notFound(record.key.name)
            }
            if let start = asked.exclusiveStartShardID {
                guard let id = ShardID(lenient: start) else { throw unknownShard(start, record.key.name) }
                after = id
            }
            if case .afterShardID(let start)? = filter {
                guard let id = ShardID(lenient: start) else { throw unknownShard(start, record.key.name) }
                after = max(after ?? id, id)
                filter = nil
            }
        }
        let shards = try await filtered(record, filter).filter { after == nil || $0.id > after! }
        let page = shards.prefix(min(asked.maxResults, 1000))
        let hasMore = page.count < shards.count
        let time = now()
        return jsonBytes(reserving: 256 + page.count * 320) { json in
            json.name("Shards")
            json.array { json in for shard in page { Self.write(shard, to: &json) } }
            if hasMore, let last = page.last {
                json.name("NextToken")
                json.string(
                    Self.token(
                        Listing(
                            stream: record.key.name,
                            uid: record.uid,
                            after: last.id,
                            filter: Self.text(filter),
                            issued: time
                        )
                    )
                )
            }
        }
    }

    private func filtered(
        _ record: StreamRecord,
        _ filter: ListShardsRequest.Filter?
    ) async throws(AWSError) -> [Shard] {
        let all = record.listedShards
        let horizon = now() - Int64(record.retentionHours) * 3_600_000
        func isOpen(_ shard: Shard, at milliseconds: Int64) -> Bool {
            let time = max(milliseconds, horizon, record.created) / 1000
            let hasBegun = shard.parents.isEmpty || Int64(shard.created) - 1 <= time
            return hasBegun && (shard.closed.map { Int64($0) >= time } ?? true)
        }
        switch filter {
        case nil, .fromTrimHorizon, .afterShardID: return all
        case .atLatest: return all.filter(\.isOpen)
        case .atTrimHorizon:
            // A shard whose parents are all gone, or never were, is where the oldest records kept begin.
            let ids = Set(all.map(\.id))
            return all.filter { shard in !shard.parents.contains { ids.contains($0) } }
        case .atTimestamp(let time):
            try refuseFuture(time)
            return all.filter { isOpen($0, at: time) }
        case .fromTimestamp(let time):
            try refuseFuture(time)
            let seconds = max(time, horizon) / 1000
            return all.filter { shard in shard.closed.map { Int64($0) >= seconds } ?? true }
        }
    }

    private func refuseFuture(_ time: Int64) throws(AWSError) {
        let current = now()
        if time > current {
            throw .invalidArgument(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                    + "timestampInMillis: \(time), currentTimestampInMillis: \(current)"
            )
        }
    }

    private static func text(_ filter: ListShardsRequest.Filter?) -> String {
        switch filter {
        case nil, .afterShardID: "-"
        case .atTrimHorizon: "T"
        case .fromTrimHorizon: "F"
        case .atLatest: "L"
        case .atTimestamp(let time): "t\(time)"
        case .fromTimestamp(let time): "f\(time)"
        }
    }

    private static func filter(_ text: String) -> ListShardsRequest.Filter? {
        switch text.first {
        case "T": .atTrimHorizon
        case "F": .fromTrimHorizon
        case "L": .atLatest
        case "t": Int64(text.dropFirst()).map { .atTimestamp($0) }
        case "f": Int64(text.dropFirst()).map { .fromTimestamp($0) }
        default: nil
        }
    }

    private static func token(_ listing: Listing) -> String {
        let after = listing.after.map { String($0.index) } ?? ""
        return Base64.encode(
            Array("1 \(listing.stream) \(listing.uid) \(after) \(listing.filter) \(listing.issued)".utf8)
        )
    }

    private static func listing(_ token: String) -> Listing? {
        guard let bytes = Base64.decode(token), let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "1", let issued = Int64(parts[5]) else { return nil }
        return Listing(
            stream: String(parts[1]),
            uid: String(parts[2]),
            after: UInt32(parts[3]).map { ShardID($0) },
            filter: String(parts[4]),
            issued: issued
        )
    }
}
