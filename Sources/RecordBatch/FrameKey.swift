import Crypto
import Synchronization

/// 256 bits that the data keys of frames are derived from; one version of a key that an operator keeps.
///
///     root key ──HKDF-SHA256(salt, "millrace frame 1" stream)──> data key ──AES-256-GCM(nonce)──> records
///
/// It never encrypts anything itself, so however many frames there are, no nonce is used up under it. What could repeat is a
/// data key: its salt is 128 random bits, drawn anew by every process for every stream, so after 2^40 of them for one stream
/// the chance that two are equal is 2^-49.
public struct RootKey: Sendable, Equatable {
    /// Names the key's bits without telling anything of them: 128 bits derived from them.
    public let fingerprint: UInt128
    private let key: SymmetricKey

    /// Bytes a key has.
    public static let size = 32

    /// Takes 32 bytes; nil for any other number of them.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        key = SymmetricKey(data: bytes)
        fingerprint = Self.derive(key, salt: [], info: Array("millrace key fingerprint 1".utf8), count: 16)
            .withUnsafeBytes { UInt128(littleEndian: $0.loadUnaligned(as: UInt128.self)) }
    }

    public static func == (lhs: RootKey, rhs: RootKey) -> Bool { lhs.fingerprint == rhs.fingerprint }

    /// The data key of a salt, for the frames of one incarnation of a stream (`ShardRef.stream`).
    public func dataKey(salt: UInt128, stream: String) -> DataKey {
        let salt = withUnsafeBytes(of: salt.littleEndian) { Array($0) }
        return DataKey(
            key: Self.derive(
                key,
                salt: salt,
                info: Array("millrace frame 1".utf8) + Array(stream.utf8),
                count: Self.size
            )
        )
    }

    private static func derive(_ key: SymmetricKey, salt: [UInt8], info: [UInt8], count: Int) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: key, salt: salt, info: info, outputByteCount: count)
    }
}

/// What frames with one salt are encrypted with and opened with.
public struct DataKey: Sendable {
    let key: SymmetricKey
}

/// What a process encrypts a stream's frames with: a data key of its own and a count of the pieces, so that no nonce comes
/// twice.
///
/// A nonce is the piece's number under this key, 32 bits, and 64 random bits. The number alone keeps nonces apart within the
/// process; the random bits keep them apart where a machine was copied as it ran, and both copies go on with the same key
/// and number.
public final class FrameKey: Sendable {
    /// Of the root key.
    public let fingerprint: UInt128
    /// Of the data key.
    public let salt: UInt128
    /// The root key's name, for people: 256 bytes at most, as KMS has them.
    public let name: String

    let dataKey: DataKey
    private let used = Atomic<UInt64>(0)

    /// Pieces after which a key should be replaced: 2^24; more than 2^32 can't be encrypted. They are 2^36 blocks of AES, a
    /// TiB, where GCM's bound for telling them from noise is 2^-57.
    public static let pieceLimit: UInt64 = 1 << 24

    /// Derives a data key.
    ///
    /// - Parameters:
    ///   - name: of the root key; what is longer than 256 bytes is cut off.
    ///   - stream: the incarnation of the stream, `ShardRef.stream`.
    ///   - salt: random bits, never used before.
    public init(_ root: RootKey, name: String, stream: String, salt: UInt128) {
        fingerprint = root.fingerprint
        self.salt = salt
        self.name = String(decoding: name.utf8.prefix(256), as: UTF8.self)
        dataKey = root.dataKey(salt: salt, stream: stream)
    }

    /// Whether another one should take its place.
    public var isWornOut: Bool { used.load(ordering: .relaxed) >= Self.pieceLimit }

    /// Bytes of its section in the sidecar of a frame with so many bytes of records.
    func sectionLength(records: Int) -> Int { FrameCipher.section(records: records) + name.utf8.count }

    /// Takes the numbers of a frame's pieces; returns the first.
    func takeNumbers(_ count: Int) -> UInt32 {
        let (first, next) = used.add(UInt64(count), ordering: .relaxed)
        precondition(next <= 1 << 32, "a data key was used for 2^32 pieces: it is replaced long before")
        return UInt32(first)
    }
}
