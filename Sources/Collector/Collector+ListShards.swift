import AWSProtocol
import KinesisTypes
import StreamModel

/// ListShards and its filters.
extension Collector {
    func listShards(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try ListShardsRequest(body: request.body, format: request.format)
        var filter = asked.filter
        var after: ShardID?
        let record: StreamRecord
        if let token = asked.nextToken {
            let parts = try PageToken(token, .shards, parts: 4, secret: iteratorSecret, now: now()).parts
            record = try stream(ownReference(parts[0], request), request).record
            guard record.uid == parts[1] else { throw notFound(parts[0]) }
            after = UInt32(parts[2]).map { ShardID($0) }
            filter = Self.filter(parts[3])
        } else {
            guard let reference = asked.stream else {
                throw .invalidArgument("Either NextToken or StreamName should be provided.")
            }
            record = try stream(reference, request).record
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
        if record.status == .creating { try requireActive(record) }
        let shards = try await filtered(record, filter).filter { after == nil || $0.id > after! }
        let page = shards.prefix(min(asked.maxResults, 1000))
        let hasMore = page.count < shards.count
        let time = now()
        return request.answer(reserving: 256 + page.count * 320) { json in
            json.name("Shards")
            json.array { json in for shard in page { Self.write(shard, to: &json) } }
            if hasMore, let last = page.last {
                json.name("NextToken")
                let parts = [record.key.name, record.uid, String(last.id.index), Self.text(filter)]
                json.string(PageToken(.shards, parts, issued: time).encoded(secret: iteratorSecret))
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
            let time = max(milliseconds, horizon, record.created)
            // A stream's first shards have always been there. A child begins in the moment that its parents end, and the
            // moment belongs to both: a parent's last record may have arrived in it.
            return (shard.parents.isEmpty || shard.opened <= time) && (shard.closed.map { $0 >= time } ?? true)
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
            let start = max(time, horizon)
            return all.filter { shard in shard.closed.map { $0 >= start } ?? true }
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
}
