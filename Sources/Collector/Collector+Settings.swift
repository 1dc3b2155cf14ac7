import AWSProtocol
import KinesisTypes
import StreamModel

/// Operations that change one setting of a stream.
extension Collector {
    func changeRetention(_ request: APIRequest, up: Bool) async throws(AWSError) -> [UInt8] {
        let asked = try RetentionPeriodRequest(body: request.body, format: request.format)
        let stream = try stream(asked.stream, request)
        if asked.hours < 24 {
            throw .invalidArgument(
                "Minimum allowed retention period is 24 hours. Requested retention period (\(asked.hours) hours) is too "
                    + "short."
            )
        }
        if asked.hours > 8760 {
            throw .invalidArgument(
                "Maximum allowed retention period is 8760 hours. Requested retention period (\(asked.hours) hours) is "
                    + "too long."
            )
        }
        let name = stream.key.name
        try await update(stream) { record throws(AWSError) in
            let present = record.retentionHours
            if up ? asked.hours < present : asked.hours > present {
                throw .invalidArgument(
                    "Requested retention period (\(asked.hours) hours) for stream \(name) can not be "
                        + "\(up ? "shorter" : "longer") than existing retention period (\(present) hours). Use "
                        + "\(up ? "Decrease" : "Increase")RetentionPeriod API."
                )
            }
            record.retentionHours = asked.hours
        }
        // What is older than the new period can't be read from now on.
        if !up { await trimNow(stream) }
        return []
    }

    func updateMaxRecordSize(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try UpdateMaxRecordSizeRequest(body: request.body, format: request.format)
        try await update(try stream(asked.stream, request)) { record throws(AWSError) in
            record.maxRecordBytes = asked.kibibytes * 1024
        }
        return []
    }

    func changeMonitoring(_ request: APIRequest, enables: Bool) async throws(AWSError) -> [UInt8] {
        let asked = try EnhancedMonitoringRequest(body: request.body, format: request.format)
        let stream = try stream(asked.stream, request)
        var (before, after) = (Set<ShardLevelMetric>(), Set<ShardLevelMetric>())
        try await update(stream) { record throws(AWSError) in
            before = record.settings.metrics
            after = enables ? before.union(asked.metrics) : before.subtracting(asked.metrics)
            record.settings.metrics = after
        }
        let (current, desired) = (before, after)
        return request.answer { json in
            json.name("StreamName")
            json.string(stream.key.name)
            json.name("CurrentShardLevelMetrics")
            Self.write(current, to: &json)
            json.name("DesiredShardLevelMetrics")
            Self.write(desired, to: &json)
            json.name("StreamARN")
            json.string(stream.record.arn(account: configuration.account))
        }
    }

    static func write(_ metrics: Set<ShardLevelMetric>, to json: inout AnswerWriter) {
        json.array { json in
            for metric in ShardLevelMetric.allCases where metrics.contains(metric) { json.string(metric.rawValue) }
        }
    }

    func startEncryption(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try StreamEncryptionRequest(body: request.body, format: request.format)
        try await update(try stream(asked.stream, request)) { record throws(AWSError) in
            try checkQuota(of: .encryption, request.operation, record)
            try keys.resolve(asked.keyID, region: record.key.region)
            record.settings.keyID = asked.keyID
            record.settings.note(.encryption, now: now())
        }
        return []
    }

    func stopEncryption(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try StreamEncryptionRequest(body: request.body, format: request.format)
        try await update(try stream(asked.stream, request)) { record throws(AWSError) in
            try checkQuota(of: .encryption, request.operation, record)
            record.settings.keyID = nil
            record.settings.note(.encryption, now: now())
        }
        return []
    }

    func updateStreamMode(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try UpdateStreamModeRequest(body: request.body, format: request.format)
        if asked.mode == .provisioned, asked.warmThroughput != nil {
            throw .invalidArgument("WarmThroughputMiBps is only supported for streams in ON_DEMAND mode.")
        }
        try await update(try stream(asked.stream, request)) { record throws(AWSError) in
            if record.mode != asked.mode {
                try checkQuota(of: .mode, request.operation, record)
                try checkQuotas(record, turning: asked.mode)
                record.settings.note(.mode, now: now())
            }
            if record.mode != asked.mode {
                record.settings.onDemandFloor =
                    asked.mode == .onDemand ? record.shards.shards.count(where: \.isOpen) : nil
            }
            record.mode = asked.mode
            record.settings.warmThroughput = asked.mode == .provisioned ? nil : asked.warmThroughput
            if asked.mode == .onDemand { try warmUp(&record) }
            // Provisioned streams know partition keys only.
            if asked.mode == .provisioned { record.settings.strategy = .userPartitionKey }
        }
        return []
    }

    func updateDistribution(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try UpdateStreamRecordDistributionStrategyRequest(body: request.body, format: request.format)
        try await change(of: try stream(asked.stream, request)) { record throws(AWSError) in
            try requireActive(record)
            if asked.strategy == .auto, record.mode == .provisioned {
                throw .invalidArgument(
                    "RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode."
                )
            }
            record.settings.strategy = asked.strategy
        }
        return []
    }

    func updateWarmThroughput(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try UpdateStreamWarmThroughputRequest(body: request.body, format: request.format)
        let stream = try stream(asked.stream, request)
        let account = try await accountSettings()
        guard asked.warmThroughput <= 10_240 else {
            throw .limitExceeded(
                "The warm throughput of a stream is at most 10240 MiB/s. Requested: \(asked.warmThroughput)."
            )
        }
        try await update(stream) { record throws(AWSError) in
            guard record.mode == .onDemand else {
                throw .validation(
                    "Request is invalid. Stream \(record.key.name) under account \(configuration.account) is not in "
                        + "On-Demand mode."
                )
            }
            guard account.isCommitted(at: now()) else {
                throw .validation(
                    "Request is invalid. Account \(configuration.account) has no minimum throughput billing commitment: "
                        + "enable it with UpdateAccountSettings."
                )
            }
            record.settings.warmThroughput = asked.warmThroughput
            try warmUp(&record)
        }
        return request.answer { json in
            json.name("StreamARN")
            json.string(stream.record.arn(account: configuration.account))
            json.name("StreamName")
            json.string(stream.key.name)
            json.name("WarmThroughput")
            Self.write(warmThroughput: asked.warmThroughput, to: &json)
        }
    }

    /// A warm stream has the shards for its throughput before the traffic comes.
    private func warmUp(_ record: inout StreamRecord) throws(AWSError) {
        guard let limits = configuration.limits else { return }
        let wanted = StreamRecord.shards(warmFor: record.settings.warmThroughput, limits)
        var result = record.shards
        do throws(ReshardError) {
            while case let count = result.shards.count(where: \.isOpen), count < wanted {
                try result.scale(to: min(wanted, count * 2), now: now())
            }
        } catch {
            throw .limitExceeded("The shards of stream \(record.key.name) are too narrow to be split further.")
        }
        if result != record.shards { record.begin(result) }
    }

    static func write(warmThroughput: Int, to json: inout AnswerWriter) {
        json.object { json in
            json.name("TargetMiBps")
            json.integer(warmThroughput)
            json.name("CurrentMiBps")
            json.integer(warmThroughput)
        }
    }
}
