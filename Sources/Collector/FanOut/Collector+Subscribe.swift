import AWSProtocol
import KinesisTypes
import ShardLog
import StreamModel

/// SubscribeToShard: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
extension Collector {
    /// How subscriptions behave in time.
    public struct Subscriptions: Sendable {
        /// From the answer to the clean close of its event stream.
        public var life: Duration
        /// From one event to the next at most: AWS's SDK for Java gives up after 10 s of silence.
        public var heartbeat: Duration
        /// For so long after a successful call nobody takes its place over.
        public var protection: Duration
        /// Where an event ends; its last record may go beyond the bytes only as its only one.
        var eventLimit = RecordPage.Limit(records: 10_000, bytes: 1 << 20)

        /// AWS's.
        public init(
            life: Duration = .seconds(300),
            heartbeat: Duration = .milliseconds(4500),
            protection: Duration = .seconds(5)
        ) {
            self.life = life
            self.heartbeat = heartbeat
            self.protection = protection
        }
    }

    func subscribeToShard(_ request: APIRequest) async throws(AWSError) -> EventFeed {
        let asked = try SubscribeToShardRequest(body: request.body, format: request.format)
        let named = asked.consumer
        let reference = StreamReference(name: named.stream, arn: named.streamARN)
        let (stream, consumer): (Stream, ConsumerRecord)
        do throws(AWSError) {
            (stream, consumer) = try self.consumer(
                ConsumerReference(stream: reference, name: named.name, created: named.created),
                request
            )
        } catch {
            guard error.code == AWSError.notFound("").code, find(reference, request) != nil else { throw error }
            // Here AWS has words of its own.
            throw .notFound(
                "Consumer \(named.name) with creation timestamp \(named.created) under stream: \(named.stream), account "
                    + "\(configuration.account) not found."
            )
        }
        guard stream.isServing else { throw notFound(stream.key.name) }
        guard consumer.status == .active else {
            throw .inUse(
                "Consumer \(consumer.name) with creation timestamp \(consumer.created / 1000) under stream: "
                    + "\(stream.key.name), account \(configuration.account) is not in ACTIVE status."
            )
        }
        let (shard, cursor, time) = try await start(
            at: StartingPosition(
                operation: request.operation,
                kind: asked.kind,
                sequenceNumber: asked.sequenceNumber,
                timestamp: asked.timestamp
            ),
            inShard: asked.shardID,
            of: stream
        )
        let key = SubscriptionList.Key(consumer: consumer.name, registered: consumer.created, shard: shard.id)
        let protection = configuration.subscriptions.protection.wholeMilliseconds
        if asked.isDryRun {
            if stream.subscriptions.isProtected(key, now: now(), protection: protection) {
                throw subscriptionInUse(key, stream)
            }
            throw Self.dryRun
        }
        let subscription = Subscription(self, stream, shard, key, from: (cursor, time), format: request.format)
        guard stream.subscriptions.add(subscription, key, now: now(), protection: protection) else {
            stream.meters.subscribeRateExceeded.add()
            throw subscriptionInUse(key, stream)
        }
        stream.meters.subscriptions.add()
        return EventFeed(
            next: { await subscription.next() },
            end: { subscription.end() },
            heartbeat: EventFeed.Heartbeat(every: configuration.subscriptions.heartbeat) { subscription.heartbeat() }
        )
    }

    /// What the second subscription of a consumer and shard is refused with, or the first one ended.
    func subscriptionInUse(_ key: SubscriptionList.Key, _ stream: Stream) -> AWSError {
        .inUse(
            "Another active subscription exists for this consumer: \(configuration.account):\(stream.key.name):"
                + "\(key.shard):\(key.consumer)"
        )
    }

    /// Why a subscription can't go on: what it reads, or who it reads for, is gone.
    func refusal(_ key: SubscriptionList.Key, _ stream: Stream) -> AWSError? {
        guard isCurrent(stream), stream.isServing else { return notFound(stream.key.name) }
        let isThere = stream.record.consumers.contains {
            $0.name == key.consumer && $0.created == key.registered && $0.status != .deleting
        }
        guard isThere else {
            return .notFound(
                "Consumer \(key.consumer) under stream \(stream.key.name) under account \(configuration.account) not found."
            )
        }
        return nil
    }

    /// AWS's 2 MiB/s of each consumer and shard; nil where nothing is limited.
    var subscriptionBandwidth: Rate? { configuration.limits?.subscriptionBytes }

    /// Notes an event for the metrics.
    func eventSent(_ stream: Stream, _ shard: ShardID, records: Int, bytes: Int, behind: Int64) {
        let meters = stream.meters
        meters.eventsSent.add()
        meters.eventRecords.add(records)
        meters.eventBytes.add(bytes)
        meters.eventsBehind.note(Int(behind), at: now())
        stream.traffic[shard].meters.answered(records: records, bytes: bytes)
    }
}
