import Crypto
import ShardLog
import Testing

@testable import Collector

@Suite("an iterator's token")
struct ShardIteratorTokenTests {
    private let secret = SymmetricKey(data: [1, 2, 3])

    private func token(_ name: String, region: String = "us-east-1") -> ShardIteratorToken {
        ShardIteratorToken(
            key: StreamKey(region: region, name: name),
            uid: "4f1c2d3e-0000-4000-8000-000000000000",
            shard: 7,
            position: Position(rawValue: 1 << 40),
            index: 65_535,
            issued: 1_795_000_000_000
        )
    }

    @Test(
        "says what it was made of, whatever the names are",
        arguments: ["s", String(repeating: "n", count: 128), String(repeating: "\u{FFFD}", count: 128), ""]
    )
    func names(name: String) throws {
        for region in ["r", "us-east-1", String(repeating: "x", count: 32)] {
            let made = token(name, region: region)
            let text = made.encoded(secret: secret)
            #expect(try ShardIteratorToken(text, secret: secret) == made)
        }
    }

    @Test("is refused when a bit of it was changed, or another made it")
    func forged() throws {
        let text = token("s").encoded(secret: secret)
        for at in stride(from: 0, to: text.utf8.count - 4, by: 5) {
            var bytes = Array(text.utf8)
            bytes[at] = bytes[at] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let changed = String(decoding: bytes, as: UTF8.self)
            #expect(throws: (any Error).self) { try ShardIteratorToken(changed, secret: secret) }
        }
        #expect(throws: (any Error).self) { try ShardIteratorToken(text, secret: SymmetricKey(data: [1, 2, 4])) }
    }
}
