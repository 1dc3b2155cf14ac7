import AWSClient

/// Reads a stream through Kinesis's API, of AWS or of a Millrace collector.
public struct KinesisShardReader: ShardReader {
    private let client: KinesisClient
    private let stream: String

    /// A stream's reader.
    public init(_ client: KinesisClient, stream: String) {
        self.client = client
        self.stream = stream
    }

    public func shards() async throws(ShardReadError) -> [ListedShard] {
        do {
            return try await client.listShards(stream).map {
                ListedShard(
                    id: $0.shardID,
                    parents: Set($0.parentShardIDs),
                    isClosed: $0.endingSequenceNumber != nil,
                    startingHashKey: $0.startingHashKey,
                    endingHashKey: $0.endingHashKey,
                    startingSequenceNumber: $0.startingSequenceNumber
                )
            }
        } catch {
            throw error.serviceCode == "ResourceNotFoundException" ? .streamGone : Self.translate(error)
        }
    }

    public func iterator(shard: String, at position: ReadPosition) async throws(ShardReadError) -> String {
        let kind: KinesisClient.IteratorPosition =
            switch position {
            case .trimHorizon: .trimHorizon
            case .latest: .latest
            case .atTimestamp(let time): .atTimestamp(time)
            case .at(let number): .atSequenceNumber(number)
            case .after(let number): .afterSequenceNumber(number)
            }
        do {
            return try await client.getShardIterator(stream: stream, shard: shard, position: kind)
        } catch {
            switch error.serviceCode {
            case "ResourceNotFoundException": throw await missing(shard)
            case "InvalidArgumentException":
                // A time is refused when it is in the future, as the service's clock has it.
                if case .atTimestamp = position { throw .unavailable(error.message) }
                throw .positionRefused(error.message)
            default: throw Self.translate(error)
            }
        }
    }

    public func read(shard: String, iterator: String, limit: Int) async throws(ShardReadError) -> RecordPage {
        do {
            let page = try await client.getRecords(iterator, limit: limit)
            return RecordPage(
                records: page.records.map {
                    ConsumedRecord(
                        sequenceNumber: $0.sequenceNumber,
                        partitionKey: $0.partitionKey,
                        data: $0.data,
                        arrivalMilliseconds: $0.approximateArrivalMilliseconds
                    )
                },
                nextIterator: page.nextShardIterator,
                millisBehindLatest: page.millisBehindLatest,
                children: Set(page.childShards.map(\.shardID))
            )
        } catch {
            switch error.serviceCode {
            case "ResourceNotFoundException": throw await missing(shard)
            // An iterator that the service doesn't know any more is as good as an old one.
            case "ExpiredIteratorException", "InvalidArgumentException": throw .iteratorExpired
            default: throw Self.translate(error)
            }
        }
    }

    /// Kinesis has one code for a missing stream and a missing shard; the list of shards tells them apart. A shard that is
    /// listed is one of a stream made anew under the old name: the iterator is not its own, and it must not count as read.
    private func missing(_ shard: String) async -> ShardReadError {
        do throws(ShardReadError) {
            return try await shards().contains { $0.id == shard } ? .iteratorExpired : .shardGone
        } catch {
            return error
        }
    }

    private static func translate(_ error: AWSClientError) -> ShardReadError {
        if error.isRefusal { return .refused(error.message) }
        return error.isThrottle || error.serviceCode == "LimitExceededException"
            ? .throttled : .unavailable(error.message)
    }
}
