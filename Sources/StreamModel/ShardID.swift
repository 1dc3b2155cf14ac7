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

    public var description: String {
        let digits = String(index)
        return "shardId-" + String(repeating: "0", count: 12 - digits.utf8.count) + digits
    }

    public static func < (lhs: ShardID, rhs: ShardID) -> Bool { lhs.index < rhs.index }
}
