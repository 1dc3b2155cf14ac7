/// A shard's index in its stream; written `shardId-000000000000`.
public struct ShardID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Counts from 0 per stream, never reused.
    public var index: UInt32

    /// Names a shard.
    public init(_ index: UInt32) { self.index = index }

    /// Reads what AWS reads: the part behind the first `-`, or the whole text, as a decimal index up to 2,147,483,647.
    public init?(lenient text: String) {
        let digits = text.firstIndex(of: "-").map { text[text.index(after: $0)...] } ?? text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let index = UInt32(digits),
            index <= 0x7FFF_FFFF
        else { return nil }
        self.index = index
    }

    /// Bytes of a written id.
    public static let length = 20

    /// Appends `shardId-` and twelve digits.
    public func append(to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: "shardId-000000000000".utf8)
        var (rest, at) = (index, start + Self.length - 1)
        while rest > 0 {
            bytes[at] = 0x30 + UInt8(rest % 10)
            rest /= 10
            at -= 1
        }
    }

    public var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    public static func < (lhs: ShardID, rhs: ShardID) -> Bool { lhs.index < rhs.index }
}
