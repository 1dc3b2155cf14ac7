import AWSProtocol
import Crypto
import ShardLog

/// A shard iterator: a position, and nothing on the server. Signed, so that a made-up one is refused.
///
///     base64( u64 version=1 | u32 shard | u64 position | u16 index | i64 issued ms | u8 uid length | uid |
///             u8 region length | region | u16 name length | name | zeros | 16 bytes of HMAC-SHA-256 )
///
/// With the zeros it has the length of AWS's, which grows with the stream's name by 16 bytes at a time.
struct ShardIteratorToken: Sendable, Equatable {
    /// Five minutes, as on AWS.
    static let lifetimeMilliseconds: Int64 = 300_000
    private static let version: UInt64 = 1
    private static let codeLength = 16

    var key: StreamKey
    var uid: String
    var shard: UInt32
    var position: Position
    /// The index of the next record in the frame at `position`.
    var index: Int
    /// Milliseconds since 1970.
    var issued: Int64

    func encoded(secret: SymmetricKey) -> String {
        var bytes: [UInt8] = []
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
        }
        put(Self.version)
        put(shard)
        put(position.rawValue)
        put(UInt16(truncatingIfNeeded: index))
        put(issued)
        for text in [uid, key.region] {
            put(UInt8(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        put(UInt16(key.name.utf8.count))
        bytes.append(contentsOf: key.name.utf8)
        let length = 152 + (key.name.utf8.count + 2) / 16 * 16 - Self.codeLength
        while bytes.count < length || bytes.count % 8 != 0 { bytes.append(0) }
        bytes.append(contentsOf: HMAC<SHA256>.authenticationCode(for: bytes, using: secret).prefix(Self.codeLength))
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
        guard let bytes = Base64.decode(text), bytes.count > 64 else { throw invalid }
        let body = bytes.dropLast(Self.codeLength)
        let code = HMAC<SHA256>.authenticationCode(for: body, using: secret).prefix(Self.codeLength)
        // Every byte is looked at: how long the comparison takes says nothing about the code.
        var difference: UInt8 = 0
        for (one, other) in zip(code, bytes.suffix(Self.codeLength)) { difference |= one ^ other }
        guard difference == 0 else { throw invalid }
        var at = 0
        func take<T: FixedWidthInteger>(_ type: T.Type) -> T {
            defer { at += MemoryLayout<T>.size }
            return bytes.withUnsafeBytes { T(bigEndian: $0.loadUnaligned(fromByteOffset: at, as: T.self)) }
        }
        func slice(_ count: Int) -> String {
            defer { at += count }
            return String(decoding: bytes[at..<at + count], as: UTF8.self)
        }
        guard take(UInt64.self) == Self.version else { throw invalid }
        shard = take(UInt32.self)
        position = Position(rawValue: take(UInt64.self))
        index = Int(take(UInt16.self))
        issued = take(Int64.self)
        uid = slice(Int(take(UInt8.self)))
        let region = slice(Int(take(UInt8.self)))
        key = StreamKey(region: region, name: slice(Int(take(UInt16.self))))
    }
}
