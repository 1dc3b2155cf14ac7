import AWSProtocol
import Crypto
import FirehoseTypes
import KinesisTypes
import ShardLog
import StreamModel

@testable import Collector

extension FuzzTarget {
    private static let secret = SymmetricKey(data: [1, 2, 3])

    /// Names, ARNs, numbers and tokens that requests hold: refused, or read as what they say.
    static let name = FuzzTarget(
        name: "name",
        seeds: [
            "arn:aws:kinesis:us-east-1:000000000000:stream/s",
            "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1",
            SequenceNumber(created: 1_795_000_000, counter: 65_536, time: 1_795_000_000, shard: 3).description, "0",
            "340282366920938463463374607431768211455", "shardId-000000000001", "00000000000000ff:0+5;1:7+2",
            "20261118T102640Z",
            token.encoded(secret: secret), PageToken(.shards, ["s", "u"], issued: 5).encoded(secret: secret),
        ].map { Array($0.utf8) },
        words: ["arn:aws", ":kinesis:", ":stream/", "/consumer/", "shardId-", "000000000000"]
    ) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        numbers(text)
        if let name = StreamReference.streamName(inARN: text) {
            require(text.hasSuffix(name), "an ARN of another stream")
        }
        if let consumer = ConsumerARN(text) { require(text.contains(consumer.name), "an ARN of another consumer") }
        if let shard = ShardID(lenient: text) {
            require(ShardID(lenient: shard.description) == shard, "a shard's name is read as another's")
        }
        if let header = try? ProducerHeader(text) {
            require(header.count == header.stretches.reduce(0) { $0 + $1.count }, "records are counted twice")
        }
        if let time = SigV4Time.milliseconds(text), text.hasSuffix("00Z") {
            require(SigV4Time.milliseconds(SigV4Time.text(time)) == time, "a time is written as another")
        }
        if let token = try? ShardIteratorToken(text, secret: secret) {
            require(token.encoded(secret: secret) == text, "an iterator that was not given out")
        }
        _ = try? PageToken(text, .shards, parts: 2, secret: secret, now: 5)
        let named = ShardIteratorToken(
            key: StreamKey(region: "r", name: String(text.prefix(128))),
            uid: "u",
            shard: UInt32(bytes.count),
            position: Position(rawValue: 7),
            index: 1,
            issued: 9
        )
        require(
            (try? ShardIteratorToken(named.encoded(secret: secret), secret: secret)) == named,
            "an iterator is lost"
        )
    }

    private static let token = ShardIteratorToken(
        key: StreamKey(region: "r", name: "s"),
        uid: "u",
        shard: 0,
        position: Position(rawValue: 1),
        index: 0,
        issued: 2
    )

    private static func numbers(_ text: String) {
        let any = AnySequenceNumber(decimal: text)
        if let number = SequenceNumber(decimal: text) {
            require(number.description == text, "a number is written as another")
            if number.counter >> 63 == 0 {
                let shard = any.map { UInt32(bitPattern: $0.shard) }
                require(any?.version == 2 && shard == number.shard, "a record's number is of no version")
                require(any?.created == number.created && any?.time == number.time, "a number tells other times")
            }
        }
        if let any {
            require(AnySequenceNumber(decimal: any.description) == any, "a number is printed as another")
            require(Pattern.decimal(moreDigits: 128).matches(any.description), "a number is printed as none")
        }
        if let key = HashKey(decimal: text) { require(key.description == text, "a hash key is written as another") }
        require(
            (HashKey(decimal: text) != nil) == (isNumber(text) && UInt128(text) != nil),
            "a hash key is read differently"
        )
    }

    private static func isNumber(_ text: String) -> Bool { Pattern.decimal(moreDigits: 1000).matches(text) }
}
