import AWSProtocol
import KinesisTypes
import ShardLog
import StreamModel

/// GetShardIterator and GetRecords.
extension Collector {
    /// Bytes of data and keys one GetRecords answers at most: 10 MiB.
    static let pageLimit = 10 * 1024 * 1024

    func getShardIterator(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try GetShardIteratorRequest(body: request.body, format: request.format)
        let stream: Stream
        do throws(AWSError) {
            stream = try serving(asked.stream, request)
        } catch {
            // Of a stream that is not there, AWS misses the shard.
            throw error.code == AWSError.notFound("").code
                ? missingShard(named: asked.shardID, asked.stream.name) : error
        }
        _ = try self.shard(asked.shardID, of: stream.record)
        try asked.checkPosition()
        let (shard, cursor, _) = try await start(
            at: StartingPosition(
                operation: request.operation,
                kind: asked.kind,
                sequenceNumber: asked.startingSequenceNumber,
                timestamp: asked.timestamp
            ),
            inShard: asked.shardID,
            of: stream
        )
        try takeIterator(shard.id, stream)
        if asked.isDryRun { throw Self.dryRun }
        let token = ShardIteratorToken(
            key: stream.key,
            uid: stream.uid,
            shard: shard.id.index,
            position: cursor.position,
            index: cursor.index,
            issued: now()
        )
        return request.answer { json in
            json.name("ShardIterator")
            json.string(token.encoded(secret: iteratorSecret))
        }
    }

    /// What a good request with DryRun is answered.
    static let dryRun = AWSError(
        "DryRunOperationException",
        "The request was rejected because the DryRun parameter was specified."
    )

    func getRecords(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try GetRecordsRequest(body: request.body, format: request.format)
        let token = try ShardIteratorToken(asked.shardIterator, secret: iteratorSecret)
        let current = now()
        guard current - token.issued <= ShardIteratorToken.lifetimeMilliseconds else {
            throw AWSError(
                "ExpiredIteratorException",
                "Iterator expired. The iterator was created at time \(UTCText.java(token.issued)) while right now it is "
                    + "\(UTCText.java(current)) which is further in the future than the tolerated delay of "
                    + "\(ShardIteratorToken.lifetimeMilliseconds) milliseconds."
            )
        }
        let id = ShardID(token.shard)
        guard token.key.region == request.region, let stream = streams.withLock({ $0[token.key] }),
            stream.uid == token.uid, let shard = stream.record.shards[id]
        else { throw missingShard(id.description, token.key.name) }
        try authorize(request, on: ownReference(token.key.name, request), stream)
        if let arn = asked.streamARN, arn != stream.record.arn(account: configuration.account) {
            throw .invalidArgument("StreamARN \(arn) is not the stream of the shard iterator.")
        }
        if asked.isDryRun { throw Self.dryRun }
        let start = ContinuousClock.now
        var isSuccess = false
        defer { stream.meters.getRecords.ended(since: start, isSuccess: isSuccess) }
        try beginRead(id, stream)
        let slab: FrameSlab
        do {
            // Small pages read little: a frame in the log is whole, however few of its records are asked for.
            let bytes = min(Self.pageLimit, max(64 * 1024, asked.limit * 2048))
            slab = try await log.read(stream.ref(id), from: token.position, maxBytes: bytes)
        } catch {
            if error == .notFound { throw missingShard(id.description, token.key.name) }
            throw failure(error, stream.ref(id))
        }
        let page = try page(slab, token, shard, request.format, limit: asked.limit)
        endRead(id, stream, records: page.count, bytes: page.userBytes)
        // The log of a parent is sealed before the catalog has its children: the end is the catalog's to tell.
        let record = stream.record
        let isDone = page.isComplete && slab.isAtEnd && !(record.shards[id]?.isOpen ?? false)
        // Behind the tip only when something is left unread: a slab is cut at its size, or the page at its limit.
        let isAtTip = page.isComplete && (slab.frames.isEmpty || isDone)
        let behind = isAtTip ? 0 : try await behind(page, slab, stream.ref(id), current)
        stream.meters.iteratorAge.note(Int(behind), at: current)
        stream.traffic[id].meters.iteratorAge.note(Int(behind), at: current)
        isSuccess = true
        return request.answer(reserving: page.bytes.count + 1024) { json in
            json.name("Records")
            json.raw { $0 += page.bytes }
            if isDone {
                json.name("ChildShards")
                json.array { json in
                    for child in record.shards.children(of: id) { Self.write(child: child, to: &json) }
                }
            } else {
                var next = token
                next.position = page.next
                next.index = page.nextIndex
                next.issued = current
                json.name("NextShardIterator")
                json.string(next.encoded(secret: iteratorSecret))
            }
            json.name("MillisBehindLatest")
            json.integer(behind)
        }
    }

    private func page(
        _ slab: FrameSlab,
        _ token: ShardIteratorToken,
        _ shard: Shard,
        _ format: WireFormat,
        limit: Int
    ) throws(AWSError) -> RecordPage {
        do {
            return try RecordPage(
                slab,
                from: token.position,
                index: token.index,
                of: RecordSource(shard: shard, uid: token.uid, region: token.key.region, keys: keys),
                as: format,
                limit: RecordPage.Limit(records: limit, bytes: Self.pageLimit)
            )
        } catch let error as AWSError {
            throw error
        } catch {
            logger.error(
                "a stored frame can't be read",
                metadata: ["shard": "\(shard.id)", "stream": "\(token.key.name)", "error": "\(error)"]
            )
            throw .internalFailure
        }
    }

    /// Milliseconds between now and the last record answered, 0 at the shard's tip.
    private func behind(_ page: RecordPage, _ slab: FrameSlab, _ ref: ShardRef, _ current: Int64) async throws(AWSError)
        -> Int64
    {
        do {
            if page.isComplete, slab.next >= (try await log.bounds(ref).tail) { return 0 }
        } catch {
            throw failure(error, ref)
        }
        return max(0, current - (page.lastArrival ?? current))
    }

    static func write(child: Shard, to json: inout AnswerWriter) {
        json.object { json in
            json.name("ShardId")
            json.string(child.id.description)
            json.name("ParentShards")
            json.array { json in for parent in child.parents { json.string(parent.description) } }
            write(child.range, to: &json)
        }
    }
}
