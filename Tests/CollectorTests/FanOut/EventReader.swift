import AWSProtocol
import Synchronization
import Testing

@testable import Collector

/// Reads one subscription as the server does: asks for a piece when it has taken the last, and takes heartbeats meanwhile.
actor EventReader {
    /// A message of the stream.
    enum Message: Equatable {
        case initial
        case event(Event)
        case exception(String, message: String)
    }

    /// One SubscribeToShardEvent.
    struct Event: Equatable {
        var data: [String]
        var numbers: [String]
        var keys: [String]
        var arrivals: [Double]
        /// Nil in a shard's last event.
        var continuation: String?
        var behind: Int64
        var children: [JSONValue]?
    }

    private final class Answer: Sendable {
        private let piece = Mutex<[UInt8]??>(nil)

        func set(_ new: [UInt8]?) { piece.withLock { $0 = .some(new) } }

        /// Nil while there is none.
        func take() -> [UInt8]?? {
            piece.withLock { piece in
                defer { piece = nil }
                return piece
            }
        }
    }

    private let feed: EventFeed
    private let format: WireFormat
    /// What the feed was asked for and has not answered, or what it answered.
    private var asked: Task<Void, Never>?
    private let answer = Answer()
    private var lastPiece = ContinuousClock.now
    private var reader = EventStreamReader()

    init(_ feed: EventFeed, format: WireFormat = .json) {
        self.feed = feed
        self.format = format
    }

    /// The next message; nil when the stream is closed.
    func next() async throws -> Message? {
        while true {
            if let message = try reader.next() { return try parse(message) }
            guard let piece = try await piece() else {
                #expect(reader.pendingBytes == 0, "the stream is closed within a message")
                return nil
            }
            reader.append(piece)
        }
    }

    private func piece() async throws -> [UInt8]? {
        if asked == nil { asked = Task { [feed, answer] in answer.set(await feed.next()) } }
        while true {
            if let piece = answer.take() {
                (asked, lastPiece) = (nil, .now)
                return piece
            }
            if let heartbeat = feed.heartbeat, lastPiece.duration(to: .now) >= heartbeat.interval,
                let piece = heartbeat.piece()
            {
                lastPiece = .now
                return piece
            }
            do {
                try await Task.sleep(for: .milliseconds(1))
            } catch {
                asked?.cancel()
                await asked?.value
            }
        }
    }

    /// The next event; anything else fails the test.
    func event() async throws -> Event {
        let message = try await next()
        guard case .event(let event)? = message else {
            Issue.record("\(String(describing: message)) where an event was expected")
            throw AWSError("Unexpected", "\(String(describing: message))")
        }
        return event
    }

    /// The next event that has records, or is the shard's last.
    func records() async throws -> Event {
        while true {
            let event = try await event()
            if !event.data.isEmpty || event.continuation == nil { return event }
        }
    }

    /// The data of at least so many records.
    func data(_ count: Int) async throws -> [String] {
        var data: [String] = []
        while data.count < count { data += try await records().data }
        return data
    }

    func close() { feed.end() }

    private func parse(_ message: EventStreamMessage) throws -> Message {
        #expect(message.text(":content-type") == "application/x-amz-\(format == .json ? "json" : "cbor")-1.1")
        let payload =
            try format == .json ? JSONValue(parsing: message.payload) : JSONValue(parsingCBOR: message.payload)
        switch (message.text(":message-type"), message.text(":event-type"), message.text(":exception-type")) {
        case ("event", "initial-response", nil):
            #expect(payload.members == [])
            return .initial
        case ("event", "SubscribeToShardEvent", nil): return .event(try event(payload))
        case ("exception", nil, let type?):
            return .exception(type, message: try #require(payload["message"]?.string))
        default: throw AWSError("Unexpected", "\(message.headers)")
        }
    }

    private func event(_ payload: JSONValue) throws -> Event {
        let records = try #require(payload["Records"]?.array)
        let event = Event(
            data: try records.map { String(decoding: try data($0["Data"]), as: UTF8.self) },
            numbers: try records.map { try #require($0["SequenceNumber"]?.string) },
            keys: try records.map { try #require($0["PartitionKey"]?.string) },
            arrivals: try records.map { try #require($0["ApproximateArrivalTimestamp"]?.real) },
            continuation: payload["ContinuationSequenceNumber"]?.string,
            behind: try #require(payload["MillisBehindLatest"]?.integer),
            children: payload["ChildShards"]?.array
        )
        // What KCL checks.
        #expect((event.continuation == nil) == !(event.children ?? []).isEmpty)
        for child in event.children ?? [] {
            #expect(child["ParentShards"]?.array?.isEmpty == false && child["HashKeyRange"] != nil)
        }
        return event
    }

    private func data(_ value: JSONValue?) throws -> [UInt8] {
        switch value {
        case .string(let text)?: try #require(Base64.decode(text))
        case .bytes(let bytes)?: bytes
        default: throw AWSError("Unexpected", "Data is \(String(describing: value))")
        }
    }
}

extension Service {
    /// Makes a stream and a consumer of it; returns the consumer's ARN.
    func consumer(_ name: String = "c", of stream: String = "s", shards: Int? = 1) async throws -> String {
        if let shards { try await call("CreateStream", #"{"StreamName":"\#(stream)","ShardCount":\#(shards)}"#) }
        let answer = try await call(
            "RegisterStreamConsumer",
            #"{"StreamARN":"arn:aws:kinesis:eu-west-1:000000000000:stream/\#(stream)","ConsumerName":"\#(name)"}"#
        )
        return try #require(answer["Consumer"]?["ConsumerARN"]?.string)
    }

    /// Subscribes; `position` is what stands in StartingPosition behind its type.
    func subscribe(
        _ consumer: String,
        _ shard: Int = 0,
        _ type: String = "LATEST",
        _ position: String = "",
        more: String = ""
    ) async throws -> EventReader {
        EventReader(try await feed(consumer, shard, type, position, more: more))
    }

    /// What a subscription answers.
    func feed(
        _ consumer: String,
        _ shard: Int = 0,
        _ type: String = "LATEST",
        _ position: String = "",
        more: String = ""
    ) async throws -> EventFeed {
        let body =
            #"{"ConsumerARN":"\#(consumer)","ShardId":"\#(shard)","StartingPosition":{"Type":"\#(type)"\#(position)}\#(more)}"#
        let request = APIRequest(operation: "SubscribeToShard", region: "eu-west-1", body: Array(body.utf8))
        guard case .events(let feed) = try await collector.kinesis(request) else {
            throw AWSError("Unexpected", "no event stream")
        }
        return feed
    }

    /// Subscribes and takes the first message.
    func begin(
        _ consumer: String,
        _ shard: Int = 0,
        _ type: String = "LATEST",
        _ position: String = ""
    ) async throws -> EventReader {
        let reader = try await subscribe(consumer, shard, type, position)
        #expect(try await reader.next() == .initial)
        return reader
    }
}

extension Collector.Configuration {
    /// Subscriptions in a hurry.
    static func quick(
        heartbeat: Duration = .milliseconds(20),
        protection: Duration = .zero,
        limits: ServiceLimits? = nil
    ) -> Collector.Configuration {
        Collector.Configuration(
            limits: limits,
            subscriptions: Collector.Subscriptions(heartbeat: heartbeat, protection: protection)
        )
    }
}
