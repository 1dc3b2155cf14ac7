import AWSProtocol
import KinesisTypes
import StreamModel

/// Registered consumers: enhanced fan-out reads in their names.
extension Collector {
    /// Consumers a stream has at most: 20, and 50 with the minimum throughput billing commitment.
    private func consumerLimit() async throws(AWSError) -> Int {
        guard let limit = configuration.limits?.consumersPerStream else { return .max }
        return try await accountSettings().isCommitted(at: now()) ? max(50, limit) : limit
    }

    func registerConsumer(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try RegisterStreamConsumerRequest(body: request.body, format: request.format)
        let tags = try checkedTags(asked.tags, for: "consumer \(asked.name)")
        let stream = try stream(asked.stream, request, tags: Self.pairs(tags))
        if !tags.isEmpty { try authorizeTagging(ofNewConsumer: asked.name, tags, stream, request) }
        let limit = try await consumerLimit()
        var made: ConsumerRecord?
        try await change(of: stream) { record throws(AWSError) in
            if record.status == .creating || record.status == .deleting { try requireActive(record) }
            let name = record.key.name
            if record.consumers.contains(where: { $0.name == asked.name }) {
                throw .inUse(
                    "Consumer \(asked.name) under stream \(name) already exists for account \(configuration.account)."
                )
            }
            guard record.consumers.count < limit else {
                throw .limitExceeded(
                    "Stream \(name) under account \(configuration.account) has the maximum of \(limit) consumers."
                )
            }
            if configuration.limits != nil, record.consumers.count(where: { $0.status == .creating }) >= 5 {
                throw .limitExceeded("Stream \(name) has 5 consumers in status CREATING, which is the maximum.")
            }
            // Whole seconds stand in the ARN, and no two consumers of a name may share one.
            let time = max(now(), (record.settings.lastConsumer / 1000 + 1) * 1000)
            record.settings.lastConsumer = time
            let consumer = ConsumerRecord(name: asked.name, status: .creating, created: time, tags: tags)
            record.consumers.append(consumer)
            made = consumer
        }
        await finishSoon(stream)
        guard let made else { throw .internalFailure }
        let arn = stream.record.arn(account: configuration.account)
        return request.answer { json in
            json.name("Consumer")
            json.object { Self.describe(made, stream: arn, to: &$0) }
        }
    }

    private static func describe(_ consumer: ConsumerRecord, stream arn: String, to json: inout AnswerWriter) {
        json.name("ConsumerName")
        json.string(consumer.name)
        json.name("ConsumerARN")
        json.string(consumer.arn(stream: arn))
        json.name("ConsumerStatus")
        json.string(consumer.status.rawValue)
        json.name("ConsumerCreationTimestamp")
        json.timestamp(milliseconds: consumer.created)
    }

    /// A registered consumer by name and, where it is known, by the second of its registration.
    func consumer(_ name: String, created: Int64?, of record: StreamRecord) throws(AWSError) -> ConsumerRecord {
        guard let consumer = record.consumers.first(where: { $0.name == name }),
            (created ?? consumer.created / 1000) == consumer.created / 1000
        else {
            throw .notFound(
                "Consumer \(name) under stream \(record.key.name) under account \(configuration.account) not found."
            )
        }
        return consumer
    }

    func index(of consumer: ConsumerRecord, in record: StreamRecord) throws(AWSError) -> Int {
        guard
            let at = record.consumers.firstIndex(where: {
                $0.name == consumer.name && $0.created == consumer.created
            })
        else {
            throw .notFound(
                "Consumer \(consumer.name) under stream \(record.key.name) under account \(configuration.account) not "
                    + "found."
            )
        }
        return at
    }

    func describeConsumer(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try StreamConsumerRequest(body: request.body, format: request.format).consumer
        let (stream, consumer) = try consumer(asked, request)
        let record = stream.record
        let arn = record.arn(account: configuration.account)
        return request.answer { json in
            json.name("ConsumerDescription")
            json.object { json in
                Self.describe(consumer, stream: arn, to: &json)
                json.name("StreamARN")
                json.string(arn)
            }
        }
    }

    func deregisterConsumer(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let asked = try StreamConsumerRequest(body: request.body, format: request.format).consumer
        let (stream, _) = try consumer(asked, request)
        try await change(of: stream) { record throws(AWSError) in
            let consumer = try consumer(asked.name, created: asked.created, of: record)
            let at = try index(of: consumer, in: record)
            record.consumers[at].status = .deleting
        }
        await finishSoon(stream)
        return []
    }

    func listConsumers(_ request: APIRequest) throws(AWSError) -> [UInt8] {
        let asked = try ListStreamConsumersRequest(body: request.body, format: request.format)
        let record = try stream(asked.stream, request).record
        if let time = asked.streamCreationTimestamp, time / 1000 != record.created / 1000 {
            throw notFound(record.key.name)
        }
        var after: String?
        if let text = asked.nextToken {
            let token = try PageToken(text, .consumers, parts: 2, secret: iteratorSecret, now: now())
            guard token.parts[0] == record.uid else { throw .invalidArgument("NextToken is invalid.") }
            after = token.parts[1]
        }
        let consumers = record.consumers.filter { $0.name > after ?? "" }.sorted { $0.name < $1.name }
        let page = consumers.prefix(min(asked.maxResults, 100))
        let arn = record.arn(account: configuration.account)
        return request.answer(reserving: 256 + page.count * 300) { json in
            json.name("Consumers")
            json.array { json in
                for consumer in page { json.object { Self.describe(consumer, stream: arn, to: &$0) } }
            }
            if page.count < consumers.count, let last = page.last {
                json.name("NextToken")
                json.string(
                    PageToken(.consumers, [record.uid, last.name], issued: now()).encoded(secret: iteratorSecret)
                )
            }
        }
    }
}
