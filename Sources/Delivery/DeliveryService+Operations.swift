import AWSProtocol
import FirehoseTypes
import ShardLog
import SinkFiles
import StateStore

extension DeliveryService {
    private func arn(_ config: DeliveryConfig) -> String {
        "arn:aws:firehose:\(config.region):\(account):deliverystream/\(config.name)"
    }

    func create(_ request: CreateDeliveryStreamRequest, region: String) async throws(AWSError) -> [UInt8] {
        let config = DeliveryConfig(request, region: region, uid: Self.uid(), now: clock.now())
        try Self.check(config)
        if let source = request.source { _ = try await access.stream(named: source.streamName, region: source.region) }
        let revision: Revision
        do throws(StateStoreError) {
            revision = try await state.put(config.key, config.encoded(), if: .absent)
        } catch .conflict {
            throw FirehoseErrors.exists(request.name, account: account)
        } catch {
            throw failure(error)
        }
        do throws(AWSError) {
            try await finishCreating(config, revision)
        } catch {
            await undoCreating(config, revision)
            throw error
        }
        return createDeliveryStreamResponse(arn: arn(config))
    }

    /// The steps behind the row's first writing. Each may be repeated: after a crash they are.
    func finishCreating(_ config: DeliveryConfig, _ revision: Revision) async throws(AWSError) {
        var config = config
        let stream: StreamHandle
        var progress = DeliveryProgress()
        if let source = config.source {
            stream = try await access.stream(named: source.streamName, region: source.region)
            progress.positions = try await latest(stream)
        } else {
            stream = try await access.createHiddenStream(
                name: config.hiddenStreamName,
                region: config.region,
                shards: 1
            )
        }
        config.stream = stream
        config.status = .active
        do throws(StateStoreError) {
            _ = try await progressStore.put(progress, for: config, over: nil)
        } catch .conflict {
            // Written before a crash: those positions count.
        } catch {
            throw failure(error)
        }
        do throws(StateStoreError) {
            remember(config, try await state.put(config.key, config.encoded(), if: .revision(revision)))
        } catch {
            throw failure(error)
        }
    }

    private func undoCreating(_ config: DeliveryConfig, _ revision: Revision) async {
        do {
            try await state.delete(config.key, if: .revision(revision))
            try await progressStore.delete(config)
        } catch {
            logger.error(
                "a delivery stream was left half created; it is finished at the next start",
                metadata: ["name": "\(config.name)", "error": "\(error)"]
            )
        }
    }

    /// The ends of all shards now: what is put later is delivered.
    private func latest(_ stream: StreamHandle) async throws(AWSError) -> [UInt32: ShardCursor] {
        var positions: [UInt32: ShardCursor] = [:]
        for shard in try await access.shards(of: stream) {
            do throws(ShardLogError) {
                let bounds = try await access.log.bounds(shard.ref)
                positions[shard.ref.index] = ShardCursor(position: bounds.tail, isFinished: bounds.isClosed)
            } catch {
                logger.error("shard log refused", metadata: ["shard": "\(shard.ref)", "error": "\(error)"])
                throw .internalFailure
            }
        }
        return positions
    }

    func delete(_ request: DeleteDeliveryStreamRequest, region: String) async throws(AWSError) -> [UInt8] {
        try await change(request.name, region) { (config) throws(AWSError) in
            switch config.status {
            case .creating:
                throw .inUse("Firehose \(config.name) under account \(account) is being created; try again.")
            case .active:
                config.status = .deleting
                config.deletedMilliseconds = request.allowForceDelete ? 0 : clock.now()
            case .deleting where request.allowForceDelete: config.deletedMilliseconds = 0
            case .deleting: break
            }
        }
        return Array("{}".utf8)
    }

    func describe(_ request: DescribeDeliveryStreamRequest, region: String) async throws(AWSError) -> [UInt8] {
        guard let config = try await row(request.name, region)?.config else {
            throw FirehoseErrors.notFound(request.name, account: account)
        }
        let source = config.source.map {
            DeliveryStreamDescription.Source(
                streamARN: $0.streamARN,
                roleARN: $0.roleARN,
                startMilliseconds: config.createdMilliseconds
            )
        }
        return DeliveryStreamDescription(
            name: config.name,
            arn: arn(config),
            status: config.status.rawValue,
            version: String(config.version),
            createdMilliseconds: config.createdMilliseconds,
            updatedMilliseconds: config.updatedMilliseconds,
            source: source,
            destination: config.destination
        ).response()
    }

    func list(_ request: ListDeliveryStreamsRequest, region: String) async throws(AWSError) -> [UInt8] {
        var names: [String] = []
        var after = request.after.map { "\(region)/\($0)" }
        do throws(StateStoreError) {
            while names.count <= request.limit {
                let page = try await state.scan(
                    DeliveryConfig.namespace,
                    prefix: region + "/",
                    after: after,
                    limit: 256
                )
                for entry in page {
                    let config = try DeliveryConfig(entry)
                    let type = config.source == nil ? "DirectPut" : "KinesisStreamAsSource"
                    if request.type == nil || request.type == type { names.append(config.name) }
                }
                guard let last = page.last, page.count == 256 else { break }
                after = last.key.name
            }
        } catch {
            throw failure(error)
        }
        return listDeliveryStreamsResponse(
            names: Array(names.prefix(request.limit)),
            hasMore: names.count > request.limit
        )
    }

    func update(_ request: UpdateDestinationRequest, region: String) async throws(AWSError) -> [UInt8] {
        try await change(request.name, region) { (config) throws(AWSError) in
            guard config.status == .active else {
                throw .inUse("Firehose \(config.name) under account \(account) is not active.")
            }
            guard request.version == String(config.version) else {
                throw FirehoseErrors.concurrentModification(current: String(config.version))
            }
            guard request.destinationID == DeliveryStreamDescription.destinationID else {
                throw .invalidArgument("Destination \(request.destinationID) not found")
            }
            let bucket = config.destination.bucket
            config.destination = try request.merged(over: config.destination)
            if config.destination.bucket != bucket, !config.formerBuckets.contains(bucket) {
                config.formerBuckets.append(bucket)
            }
            config.version += 1
            config.updatedMilliseconds = clock.now()
            try Self.check(config)
        }
        return Array("{}".utf8)
    }

    /// Reads, changes and writes a row, again when somebody else wrote it in between.
    private func change(
        _ name: String,
        _ region: String,
        _ body: (inout DeliveryConfig) throws(AWSError) -> Void
    ) async throws(AWSError) {
        for _ in 0..<16 {
            guard let (old, revision) = try await row(name, region) else {
                throw FirehoseErrors.notFound(name, account: account)
            }
            var config = old
            try body(&config)
            if config == old { return }
            do throws(StateStoreError) {
                remember(config, try await state.put(config.key, config.encoded(), if: .revision(revision)))
                return
            } catch .conflict {
                continue
            } catch {
                throw failure(error)
            }
        }
        throw .unavailable("Firehose \(name) is being changed by others; try again.")
    }

    /// Refuses at once what could never be delivered.
    private static func check(_ config: DeliveryConfig) throws(AWSError) {
        let destination = config.destination
        do {
            let prefix = try SinkPrefix(destination.prefix ?? "")
            guard !prefix.namesErrorType else {
                throw AWSError.invalidArgument("Prefix can't contain !{firehose:error-output-type}")
            }
            var generator = SystemRandomNumberGenerator()
            _ = try config.objectName().make(arrivalMilliseconds: config.createdMilliseconds, using: &generator)
            _ = try SinkPath("\(destination.bucket)/x")
            guard !prefix.hasExpressions || destination.errorOutputPrefix != nil else {
                throw AWSError.invalidArgument("ErrorOutputPrefix can't be null when Prefix contains expressions")
            }
            let errors = try SinkPrefix(destination.errorOutputPrefix ?? "")
            guard !errors.hasExpressions || errors.namesErrorType else {
                throw AWSError.invalidArgument(
                    "ErrorOutputPrefix with expressions must contain !{firehose:error-output-type}"
                )
            }
        } catch let error as AWSError {
            throw error
        } catch {
            throw .invalidArgument("\(error)")
        }
    }

    private static func uid() -> String {
        let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz")
        return String((0..<16).map { _ in digits[Int.random(in: 0..<digits.count)] })
    }
}
