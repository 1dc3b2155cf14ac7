import AWSProtocol
import Crypto
import ShardLog

/// A shard iterator: a position, and nothing on the server. Signed, so that a made-up one is refused.
///
///     base64( u8 version=1 | u32 shard | u64 position | u16 index | i64 issued ms | u8 uid length | uid |
///             u8 region length | region | name | 16 bytes of HMAC-SHA-256 )
struct ShardIteratorToken: Sendable, Equatable {
    /// Five minutes, as on AWS.
    static let lifetimeMilliseconds: Int64 = 300_000

    var key: StreamKey
    var uid: String
    var shard: UInt32
    var position: Position
    /// The index of the next record in the frame at `position`.
    var index: Int
    /// Milliseconds since 1970.
    var issued: Int64

    func encoded(secret: SymmetricKey) -> String {
        var bytes: [UInt8] = [1]
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
        }
        put(shard)
        put(position.rawValue)
        put(UInt16(truncatingIfNeeded: index))
        put(issued)
        for text in [uid, key.region] {
            put(UInt8(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        bytes.append(contentsOf: key.name.utf8)
        bytes.append(contentsOf: HMAC<SHA256>.authenticationCode(for: bytes, using: secret).prefix(16))
        return Base64.encode(bytes)
    }

    init(key: StreamKey, uid: String, shard: UInt32, position: Position, index: Int, issued: Int64) {
        self.key = key
        self.uid = uid
        self.shard = shard
        self.position = position
        self.index = index
        self.issued = issued
    }

    /// Throws `InvalidArgumentException` for anything this collector did not issue.
    init(_ text: String, secret: SymmetricKey) throws(AWSError) {
        let invalid = AWSError.invalidArgument("Invalid ShardIterator.")
        guard let bytes = Base64.decode(text), bytes.count > 41, bytes[0] == 1 else { throw invalid }
        let body = bytes.dropLast(16)
        let code = HMAC<SHA256>.authenticationCode(for: body, using: secret).prefix(16)
        // Every byte is looked at: how long the comparison takes says nothing about the code.
        var difference: UInt8 = 0
        for (one, other) in zip(code, bytes.suffix(16)) { difference |= one ^ other }
        guard difference == 0 else { throw invalid }
        var at = 1
        func take<T: FixedWidthInteger>(_ type: T.Type) -> T {
            defer { at += MemoryLayout<T>.size }
            return bytes.withUnsafeBytes { T(bigEndian: $0.loadUnaligned(fromByteOffset: at, as: T.self)) }
        }
        func slice(_ count: Int) -> String {
            defer { at += count }
            return String(decoding: bytes[at..<at + count], as: UTF8.self)
        }
        shard = take(UInt32.self)
        position = Position(rawValue: take(UInt64.self))
        index = Int(take(UInt16.self))
        issued = take(Int64.self)
        uid = slice(Int(take(UInt8.self)))
        let region = slice(Int(take(UInt8.self)))
        key = StreamKey(region: region, name: slice(body.count - at))
    }
}
