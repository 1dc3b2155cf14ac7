import AWSProtocol
import KinesisTypes
import ShardLog
import StateStore
import StreamModel

/// The catalog: streams come, are described, and go.
extension Collector {
    func loadCatalog() async throws {
        var after: String?
        while true {
            let rows = try await state.scan("streams", prefix: "", after: after, limit: 500)
            for row in rows {
                guard let record = StreamRecord(decoding: row.value) else {
                    throw StateStoreError.corrupt("the catalog row \(row.key) can't be read")
                }
                try await resume(record, revision: row.revision)
            }
            guard let last = rows.last else { return }
            after = last.key.name
        }
    }

    /// Brings a stream back as its row says, finishing what was under way. What can't be finished now is upkeep's.
    private func resume(_ record: StreamRecord, revision: Revision) async throws {
        let stream = makeStream(record, revision)
        streams.withLock { $0[record.key] = stream }
        try await finish(stream)
    }

    private func makeStream(_ record: StreamRecord, _ revision: Revision) -> Stream {
        let traffic = StreamTraffic()
        return Stream(record, revision: revision, routes: writers(record, traffic), traffic: traffic)
    }

    func writers(_ record: StreamRecord, _ traffic: StreamTraffic) -> Routes {
        Routes(
            record.shards.open.map { shard in
                ShardWriter(
                    ref: ShardRef(stream: record.uid, index: shard.id.index),
                    shard: shard,
                    traffic: traffic[shard.id],
                    now: now
                )
            }
        )
    }

    func createStream(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try CreateStreamRequest(body: request.body, format: request.format)
        try authorizeCreating(asked, request)
        let warm = configuration.limits.map { StreamRecord.shards(warmFor: asked.warmThroughput, $0) } ?? 0
        let count = asked.mode == .onDemand ? max(4, warm) : asked.shardCount
        guard let count else {
            throw .validation("ShardCount must be provided for a stream in PROVISIONED mode.")
        }
        let most = configuration.limits?.shardsPerStream ?? 10_000
        // What the account may not have either is told of as that.
        let isBeyondAccount =
            asked.mode == .provisioned && count > configuration.limits?.shards(in: request.region) ?? .max
        guard count <= most || isBeyondAccount else {
            throw .limitExceeded("A stream has at most \(most) shards. Requested: \(count).")
        }
        if asked.mode == .provisioned, asked.strategy == .auto {
            throw .invalidArgument("RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.")
        }
        if asked.mode == .provisioned, asked.warmThroughput != nil {
            throw .invalidArgument("WarmThroughputMiBps is only supported for streams in ON_DEMAND mode.")
        }
        _ = try await create(
            StreamKey(region: request.region, name: asked.streamName),
            shards: count,
            mode: asked.mode,
            maxRecordBytes: asked.maxRecordSizeInKiB * 1024,
            isHidden: false,
            settings: StreamSettings(
                tags: try checkedTags(asked.tags, for: "stream \(asked.streamName)"),
                warmThroughput: asked.warmThroughput,
                strategy: asked.strategy
            )
        )
        return []
    }

    /// Makes a stream; it is ACTIVE soon after this returns, a hidden one when this returns.
    func create(
        _ key: StreamKey,
        shards: Int,
        mode: StreamMode,
        maxRecordBytes: Int,
        isHidden: Bool,
        settings: StreamSettings = StreamSettings()
    ) async throws(AWSError) -> Stream {
        try await catalog.withLock { () async throws(AWSError) in
            if streams.withLock({ $0[key] != nil }) {
                throw .inUse("Stream \(key.name) under account \(configuration.account) already exists.")
            }
            if !isHidden { try checkQuotas(creating: key, shards: shards, mode) }
            let time = now()
            // Above every stamp that a stream of this name had: its sequence numbers must mean nothing in this one.
            let stamp: UInt64
            do throws(StateStoreError) {
                let former = try await state.get(Self.stampKey(key)).flatMap {
                    UInt64(String(decoding: $0.value, as: UTF8.self))
                }
                stamp = max(UInt64(time / 1000), (former ?? 0) + 1)
            } catch {
                throw failure(error)
            }
            var record = StreamRecord(
                key: key,
                uid: Self.newUID(time),
                status: .creating,
                mode: mode,
                created: time,
                retentionHours: 24,
                maxRecordBytes: maxRecordBytes,
                isHidden: isHidden,
                shards: ShardMap(count: shards, created: stamp, now: time),
                reshard: nil
            )
            record.settings = settings
            let revision: Revision
            do throws(StateStoreError) {
                revision = try await putRow(record, if: .absent)
            } catch {
                if case .conflict = error { throw await adopt(key) }
                throw failure(error)
            }
            let stream = makeStream(record, revision)
            streams.withLock { $0[key] = stream }
            await finishSoon(stream, atOnce: isHidden)
            return stream
        }
    }

    /// A row that this process did not know of, such as one whose write was answered by an error: the stream is there. Returns
    /// what the client hears.
    private func adopt(_ key: StreamKey) async -> AWSError {
        do throws(StateStoreError) {
            guard let entry = try await state.get(StateKey("streams", key.row)) else { return .internalFailure }
            guard let record = StreamRecord(decoding: entry.value) else {
                return failure(.corrupt("the catalog row \(key.row) can't be read"))
            }
            let stream = makeStream(record, entry.revision)
            streams.withLock { $0[key] = stream }
            await finishSoon(stream, atOnce: true)
            return .inUse("Stream \(key.name) under account \(configuration.account) already exists.")
        } catch {
            return failure(error)
        }
    }

    func finishCreating(_ stream: Stream) async throws {
        var record = stream.record
        for shard in record.shards.shards { try await log.create(stream.ref(shard.id)) }
        record.status = .active
        try await write(record, stream)
    }

    /// Writes the row over the one this process wrote last. When another one stands there, that one holds from now on, and
    /// the caller is told to try again.
    func write(_ record: StreamRecord, _ stream: Stream, routes: Routes? = nil) async throws(StateStoreError) {
        do {
            let revision = try await putRow(record, if: .revision(stream.current.revision))
            stream.update(record, revision: revision, routes: routes)
        } catch {
            guard case .conflict = error else { throw error }
            guard let entry = try await state.get(StateKey("streams", record.key.row)),
                let stored = StreamRecord(decoding: entry.value), stored.uid == stream.uid
            else { throw error }
            let known = stream.routes.writers
            let writers = writers(stored, stream.traffic).writers.map { writer in
                known.first { $0.shard.id == writer.shard.id } ?? writer
            }
            stream.update(stored, revision: entry.revision, routes: Routes(writers))
            throw .unavailable("the stream's row was changed elsewhere", retryAfter: .milliseconds(100))
        }
    }

    /// Puts a row; what a lost answer leaves open is settled by reading.
    private func putRow(_ record: StreamRecord, if precondition: StatePrecondition) async throws(StateStoreError)
        -> Revision
    {
        let (key, value) = (StateKey("streams", record.key.row), record.encoded())
        do {
            return try await state.put(key, value, if: precondition)
        } catch {
            guard case .unknown(let reason) = error else { throw error }
            if let entry = try await state.get(key), entry.value == value { return entry.revision }
            throw .unavailable(reason, retryAfter: .milliseconds(100))
        }
    }

    func deleteStream(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try DeleteStreamRequest(body: request.body, format: request.format)
        try await delete(try stream(asked.stream, request), withConsumers: asked.enforceConsumerDeletion)
        return []
    }

    func delete(_ stream: Stream, withConsumers: Bool = true) async throws(AWSError) {
        try await catalog.withLock { () async throws(AWSError) in
            try await stream.control.withLock { () async throws(AWSError) in
                guard isCurrent(stream) else { throw notFound(stream.key.name) }
                var record = stream.record
                if !withConsumers, record.consumers.contains(where: { $0.status != .deleting }) {
                    throw .inUse(
                        "DeleteStream can't delete \(configuration.account):\(record.key.name) because there are consumers "
                            + "associated with this data stream. To delete \(record.key.name) anyway, set the "
                            + "EnforceConsumerDeletion parameter to true to force the deletion of all the consumers that are "
                            + "associated with it."
                    )
                }
                if record.status == .deleting { return }
                record.wasNeverActive = record.status == .creating
                record.status = .deleting
                do throws(StateStoreError) {
                    try await write(record, stream)
                } catch {
                    throw failure(error)
                }
            }
        }
        await finishSoon(stream, atOnce: stream.record.isHidden)
    }

    /// Everything of a stream in DELETING goes; its row last, and then its name is free.
    func remove(_ stream: Stream) async throws {
        let record = stream.record
        for shard in record.shards.shards + (record.reshard?.result.shards ?? []) {
            let ref = stream.ref(shard.id)
            try await log.delete(ref)
            try await state.delete(StateKey("producers", ref.description), if: .none)
        }
        let stamps = (record.shards.shards + (record.reshard?.result.shards ?? [])).map(\.created)
        try await state.put(Self.stampKey(record.key), Array(String(stamps.max() ?? 0).utf8), if: .none)
        // The row may be gone by an earlier try whose answer was lost; that of a stream made anew must stay.
        let key = StateKey("streams", record.key.row)
        let stored = try await state.get(key).flatMap { StreamRecord(decoding: $0.value) }
        if stored?.uid == stream.uid { try await state.delete(key, if: .revision(stream.current.revision)) }
        streams.withLock { streams in
            if streams[stream.key] === stream { streams[stream.key] = nil }
        }
        stream.subscriptions.wakeAll()
    }

    /// Keeps the newest creation stamp of the shards of a name's former streams, decimal.
    private static func stampKey(_ key: StreamKey) -> StateKey { StateKey("stream-stamps", key.row) }

    func describeStream(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try DescribeStreamRequest(body: request.body, format: request.format)
        let record = try stream(asked.stream, request).record
        var shards = record.listedShards[...]
        if let start = asked.exclusiveStartShardID {
            guard let id = ShardID(lenient: start) else { throw unknownShard(start, record.key.name) }
            shards = shards.drop { $0.id <= id }
        }
        let page = shards.prefix(min(asked.limit, 100))
        return request.answer(reserving: 1024 + page.count * 320) { json in
            json.name("StreamDescription")
            json.object { json in
                describe(record, to: &json)
                json.name("Shards")
                json.array { json in for shard in page { Self.write(shard, to: &json) } }
                json.name("HasMoreShards")
                json.bool(page.count < shards.count)
            }
        }
    }

    func describeStreamSummary(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try DescribeStreamSummaryRequest(body: request.body, format: request.format)
        let record = try stream(asked.stream, request).record
        return request.answer { json in
            json.name("StreamDescriptionSummary")
            json.object { json in
                describe(record, to: &json)
                json.name("OpenShardCount")
                json.integer(record.listedShards.count(where: \.isOpen))
                json.name("ConsumerCount")
                json.integer(record.consumers.count)
                json.name("MaxRecordSizeInKiB")
                json.integer(record.maxRecordBytes / 1024)
                if let throughput = record.settings.warmThroughput {
                    json.name("WarmThroughput")
                    Self.write(warmThroughput: throughput, to: &json)
                }
                json.name("ChannelCount")
                json.integer(0)
                json.name("RecordDistributionStrategy")
                json.string(record.settings.strategy.rawValue)
            }
        }
    }

    private func describe(_ record: StreamRecord, to json: inout AnswerWriter) {
        json.name("StreamName")
        json.string(record.key.name)
        json.name("StreamARN")
        json.string(record.arn(account: configuration.account))
        json.name("StreamStatus")
        json.string(record.status.rawValue)
        json.name("StreamModeDetails")
        json.object { json in
            json.name("StreamMode")
            json.string(record.mode.rawValue)
        }
        json.name("RetentionPeriodHours")
        json.integer(record.retentionHours)
        json.name("StreamCreationTimestamp")
        json.timestamp(milliseconds: record.created)
        json.name("EnhancedMonitoring")
        json.array { json in
            json.object { json in
                json.name("ShardLevelMetrics")
                Self.write(record.settings.metrics, to: &json)
            }
        }
        json.name("EncryptionType")
        json.string(record.settings.keyID == nil ? "NONE" : "KMS")
        if let keyID = record.settings.keyID {
            json.name("KeyId")
            json.string(keyID)
        }
    }

    static func write(_ shard: Shard, to json: inout AnswerWriter) {
        json.object { json in
            json.name("ShardId")
            json.string(shard.id.description)
            if let parent = shard.parent {
                json.name("ParentShardId")
                json.string(parent.description)
            }
            if let parent = shard.adjacentParent {
                json.name("AdjacentParentShardId")
                json.string(parent.description)
            }
            write(shard.range, to: &json)
            json.name("SequenceNumberRange")
            json.object { json in
                json.name("StartingSequenceNumber")
                json.string(shard.startingSequenceNumber.description)
                if let end = shard.endingSequenceNumber {
                    json.name("EndingSequenceNumber")
                    json.string(end.description)
                }
            }
        }
    }

    static func write(_ range: HashRange, to json: inout AnswerWriter) {
        json.name("HashKeyRange")
        json.object { json in
            json.name("StartingHashKey")
            json.string(range.start.description)
            json.name("EndingHashKey")
            json.string(range.end.description)
        }
    }

    func listStreams(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try ListStreamsRequest(body: request.body, format: request.format)
        var start = asked.exclusiveStartStreamName
        if let token = asked.nextToken {
            start = try PageToken(token, .streams, parts: 1, secret: iteratorSecret, now: now()).parts[0]
        }
        let records = streams.withLock { streams in streams.values.map(\.record) }
            .filter { $0.key.region == request.region && !$0.isHidden && start ?? "" < $0.key.name }
            .sorted { $0.key.name < $1.key.name }
        let page = records.prefix(asked.limit)
        let hasMore = page.count < records.count
        return request.answer(reserving: 256 + page.count * 300) { json in
            json.name("StreamNames")
            json.array { json in for record in page { json.string(record.key.name) } }
            json.name("HasMoreStreams")
            json.bool(hasMore)
            if hasMore, let last = page.last {
                json.name("NextToken")
                json.string(PageToken(.streams, [last.key.name], issued: now()).encoded(secret: iteratorSecret))
            }
            json.name("StreamSummaries")
            json.array { json in
                for record in page {
                    json.object { json in
                        json.name("StreamName")
                        json.string(record.key.name)
                        json.name("StreamARN")
                        json.string(record.arn(account: configuration.account))
                        json.name("StreamStatus")
                        json.string(record.status.rawValue)
                        json.name("StreamModeDetails")
                        json.object { json in
                            json.name("StreamMode")
                            json.string(record.mode.rawValue)
                        }
                        json.name("StreamCreationTimestamp")
                        json.timestamp(milliseconds: record.created)
                    }
                }
            }
        }
    }

    func unknownShard(_ shard: String, _ stream: String) -> AWSError {
        .notFound("Could not find shard \(shard) in stream \(stream) under account \(configuration.account).")
    }

    /// Lower-case base 36 of the time, and 64 random bits.
    static func newUID(_ time: Int64) -> String {
        String(time, radix: 36) + "-" + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
