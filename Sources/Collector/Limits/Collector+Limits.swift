import AWSProtocol
import KinesisTypes
import StreamModel

/// Throttles and quotas, with AWS's refusals.
///
/// `Rate exceeded` begins the message of every throttle: clients and test suites retry on that prefix.
extension Collector {
    // MARK: - Data

    /// What holds for a put into the stream now; nil where nothing is limited.
    func throttle(_ record: StreamRecord) -> PutThrottle? {
        guard let limits = configuration.limits else { return nil }
        return PutThrottle(
            limits: record.isHidden ? limits.delivery : limits.shard,
            isSampled: record.mode == .onDemand,
            now: now()
        )
    }

    func rateExceeded(_ shard: ShardID, _ stream: String) -> String {
        "Rate exceeded for shard \(shard) in stream \(stream) under account \(configuration.account)."
    }

    func throughputExceeded(_ shard: ShardID, _ stream: String) -> AWSError {
        AWSError("ProvisionedThroughputExceededException", rateExceeded(shard, stream))
    }

    /// Begins a GetRecords, or refuses it.
    func beginRead(_ shard: ShardID, _ stream: Stream) throws(AWSError) {
        guard let limits = configuration.limits?.shard else { return }
        let traffic = stream.traffic[shard]
        if traffic.beginRead(limits, at: now()) { return }
        traffic.meters.readsThrottled.add()
        stream.meters.readsThrottled.add()
        throw throughputExceeded(shard, stream.key.name)
    }

    /// Notes what a GetRecords answered.
    func endRead(_ shard: ShardID, _ stream: Stream, records: Int, bytes: Int) {
        let traffic = stream.traffic[shard]
        if let limits = configuration.limits?.shard { traffic.endRead(bytes: bytes, limits, at: now()) }
        traffic.meters.answered(records: records, bytes: bytes)
        stream.meters.recordsRead.add(records)
        stream.meters.bytesRead.add(bytes)
    }

    func takeIterator(_ shard: ShardID, _ stream: Stream) throws(AWSError) {
        guard let limits = configuration.limits?.shard else { return }
        guard stream.traffic[shard].takeIterator(limits, at: now()) else {
            throw throughputExceeded(shard, stream.key.name)
        }
    }

    // MARK: - Control calls

    /// Carries out a call within its rate. One that its own members make invalid, or that is not allowed, costs nothing.
    func withinRate<Answer: Sendable>(
        _ request: APIRequest,
        _ body: () async throws(AWSError) -> Answer
    ) async throws(AWSError) -> Answer {
        guard let limits = configuration.limits, let rate = limits.callsPerSecond[request.operation] else {
            return try await body()
        }
        let bucket = ControlCalls.Bucket(request)
        guard controlCalls.take(bucket, limits.callRate(rate), at: now()) else {
            throw .limitExceeded(
                ControlCalls.stream(of: request).map {
                    "Rate exceeded for stream \($0) under account \(configuration.account)."
                } ?? "Rate exceeded for account \(configuration.account)."
            )
        }
        do throws(AWSError) {
            return try await body()
        } catch {
            switch error.code {
            case "SerializationException", "ValidationException", "InvalidArgumentException", "AccessDeniedException":
                controlCalls.giveBack(bucket)
            default: break
            }
            throw error
        }
    }

    // MARK: - Quotas

    /// Throws when a stream of so many shards can't be made. `catalog` is held.
    func checkQuotas(creating key: StreamKey, shards: Int, _ mode: StreamMode) throws(AWSError) {
        guard let limits = configuration.limits else { return }
        let records = records(in: key.region)
        if records.count(where: { $0.status == .creating }) >= limits.creatingStreams {
            // The words and the blanks are AWS's.
            throw .limitExceeded(
                "This request would have exceed the limit on the number  of streams that can simultaneously be in CREATING "
                    + "or DELETING for the account \(configuration.account). Limit: \(limits.creatingStreams)."
            )
        }
        switch mode {
        case .provisioned: try checkShardQuota(records, adding: shards, key.region, limits)
        case .onDemand: try checkOnDemandQuota(records, key.region, limits)
        }
    }

    /// Throws when the account, or the stream, can't have a change of a provisioned stream's shards.
    func checkQuotas(_ record: StreamRecord, from before: Int, to after: Int) throws(AWSError) {
        guard after > before, let limits = configuration.limits else { return }
        if after > limits.shardsPerStream {
            throw .limitExceeded(
                "Stream \(record.key.name) under account \(configuration.account) can have at most "
                    + "\(limits.shardsPerStream) shards. Current open shard count: \(before). Requested: \(after)."
            )
        }
        try checkShardQuota(records(in: record.key.region), adding: after - before, record.key.region, limits)
    }

    /// Throws when the account can't have the stream in another mode.
    func checkQuotas(_ record: StreamRecord, turning mode: StreamMode) throws(AWSError) {
        guard record.mode != mode, let limits = configuration.limits else { return }
        let records = records(in: record.key.region)
        switch mode {
        case .provisioned:
            let count = record.shards.shards.count(where: \.isOpen)
            try checkShardQuota(records, adding: count, record.key.region, limits)
        case .onDemand: try checkOnDemandQuota(records, record.key.region, limits)
        }
    }

    private func records(in region: String) -> [StreamRecord] {
        streams.withLock { $0.values.map(\.record) }
            .filter { $0.key.region == region && !$0.isHidden && $0.status != .deleting }
    }

    private func checkShardQuota(
        _ records: [StreamRecord],
        adding count: Int,
        _ region: String,
        _ limits: ServiceLimits
    ) throws(AWSError) {
        let present = records.filter { $0.mode == .provisioned }
            .map { $0.shards.shards.count(where: \.isOpen) }.reduce(0, +)
        let limit = limits.shards(in: region)
        guard present + count > limit else { return }
        throw .limitExceeded(
            "This request would exceed the shard limit for the account \(configuration.account) in \(region). Current "
                + "shard count for the account: \(present). Limit: \(limit). Number of additional shards that would have "
                + "resulted from this request: \(count). Refer to the AWS Service Limits page "
                + "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to "
                + "request higher limits."
        )
    }

    private func checkOnDemandQuota(
        _ records: [StreamRecord],
        _ region: String,
        _ limits: ServiceLimits
    ) throws(AWSError) {
        let present = records.count { $0.mode == .onDemand }
        guard present >= limits.onDemandStreams else { return }
        throw .limitExceeded(
            "This request would exceed the on-demand stream limit for the account \(configuration.account) in \(region). "
                + "Current on-demand stream count for the account: \(present). Limit: \(limits.onDemandStreams)."
        )
    }
}
