/// What a file's content looked like where it was seen: its first bytes, and some bytes before a place further on.
///
/// ```
/// 0        prefixLength                tailOffset-64   tailOffset
/// |--prefixHash--|..........................|--tailHash--|
/// ```
/// The prefix grows with the file up to 1 KiB. A file of any size has a fingerprint; an empty one says nothing.
public struct Fingerprint: Sendable, Equatable {
    /// The longest prefix.
    static let longestPrefix = 1024
    /// The longest tail.
    static let longestTail = 64

    /// Bytes hashed at the file's start, 0 to 1024.
    public var prefixLength: Int
    /// Their hash.
    public var prefixHash: UInt64
    /// The offset behind the hashed tail, at most the checkpoint's offset; 0 when there is none.
    public var tailOffset: Int64
    /// Hash of the up to 64 bytes before `tailOffset`.
    public var tailHash: UInt64

    /// A fingerprint, from its parts; without arguments, that of an empty file.
    public init(
        prefixLength: Int = 0,
        prefixHash: UInt64 = ContentHash.start,
        tailOffset: Int64 = 0,
        tailHash: UInt64 = ContentHash.start
    ) {
        self.prefixLength = prefixLength
        self.prefixHash = prefixHash
        self.tailOffset = tailOffset
        self.tailHash = tailHash
    }
}

/// FNV-1a with 64 bits: a hash that can be continued byte by byte and never changes between versions.
public enum ContentHash {
    /// The hash of nothing.
    public static let start: UInt64 = 0xcbf2_9ce4_8422_2325

    /// The hash of what `hash` stands for, followed by `bytes`.
    static func continuing(_ hash: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = hash
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
