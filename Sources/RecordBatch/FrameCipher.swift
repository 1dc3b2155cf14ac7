import Crypto

// An encrypted frame: what of it is readable without the key, and what the key's owner can tell was changed.
//
//     envelope, 64 bytes                     readable
//     sidecar: producers                     readable
//              tag 2: encryption             readable
//     batch: Kafka's header, 61 bytes        readable
//            records                         AES-256-GCM: keys, values, and their lengths
//
// The records are encrypted in pieces of 64 KiB, the last one shorter, each with a tag of its own. The library works in
// memory that it allocates: for large pieces the system would take it back and give it out anew each time, at four times the
// cost of encrypting. The section of tag 2, version 1:
//
//      0 u128 the root key's fingerprint (`RootKey`)
//     16 u128 the data key's salt
//     32 u32  the first piece's number under the data key; the others' follow ┐ the nonces
//     36 u64  random                                                          ┘
//     44 a tag of 16 bytes for each piece
//        the root key's name, UTF-8, up to the section's end: for messages; the fingerprint alone finds the key
//
// Everything in front of the records is authenticated with the first piece, behind the index of the shard (u32): offsets,
// count, lengths, arrival, producers, the key's name. The stream is part of the data key's derivation. So a frame is read as
// what it was written: in its stream, its shard, at its base offset. The other pieces need no more than their nonce: no other
// piece has it, so none can stand in another's place or frame, and how many there are follows from the lengths. What is
// written later or follows from the rest counts as 0: both checksums, the unsynced bytes, and the tags. What this can't tell:
// that whole frames are gone from a log, or stand in it in another order (readers look at the order of offsets within what
// they read at once).

/// Encrypts and opens the records of frames.
enum FrameCipher {
    /// The envelope's encryption kind: AES-256-GCM under a derived data key, in pieces.
    static let kind: UInt16 = 1
    /// Bytes of records that are encrypted together.
    static let pieceSize = 64 * 1024

    private static let numberAt = 32
    private static let randomAt = 36
    private static let tagsAt = 44
    private static let tag = 16

    /// Pieces of so many bytes of records.
    static func pieces(_ records: Int) -> Int { (records + pieceSize - 1) / pieceSize }

    /// Bytes of a section without the name.
    static func section(records: Int) -> Int { tagsAt + pieces(records) * tag }

    /// Encrypts records into a frame and writes the section behind the producers'. All other fields but the checksums are
    /// there already.
    static func seal(
        _ plain: UnsafeRawBufferPointer,
        into bytes: UnsafeMutableRawBufferPointer,
        batch: Int,
        key: FrameKey,
        shard: UInt32
    ) {
        var random = SystemRandomNumberGenerator()
        let nonce = PieceNonce(first: key.takeNumbers(pieces(plain.count)), random: random.next())
        let length = key.sectionLength(records: plain.count)
        let at = batch - length
        bytes.store(FrameLayout.encryptionTag, at: at - FrameLayout.sectionHeader)
        bytes.store(UInt8(1), at: at - FrameLayout.sectionHeader + 1)
        bytes.store(UInt16(0), at: at - FrameLayout.sectionHeader + 2)
        bytes.store(UInt32(length), at: at - FrameLayout.sectionHeader + 4)
        bytes.store(key.fingerprint, at: at)
        bytes.store(key.salt, at: at + 16)
        bytes.store(nonce.first, at: at + numberAt)
        bytes.store(nonce.random, at: at + randomAt)
        for (index, byte) in key.name.utf8.enumerated() { bytes[at + section(records: plain.count) + index] = byte }

        let records = batch + BatchLayout.header
        var data = authenticated(UnsafeRawBufferPointer(bytes), batch: batch, section: at, shard: shard)
        for piece in 0..<pieces(plain.count) {
            let range = range(piece, plain.count)
            do {
                let sealed = try AES.GCM.seal(
                    UnsafeRawBufferPointer(rebasing: plain[range]),
                    using: key.dataKey.key,
                    nonce: AES.GCM.Nonce(data: nonce.bytes(piece)),
                    authenticating: data
                )
                sealed.ciphertext.withUnsafeBytes { (bytes.baseAddress! + records + range.lowerBound).copyMemory($0) }
                sealed.tag.withUnsafeBytes { (bytes.baseAddress! + at + tagsAt + piece * tag).copyMemory($0) }
            } catch {
                // Sizes are all that can be wrong, and they are written above.
                preconditionFailure("AES-GCM refused a key of 32 bytes, a nonce of 12, or a piece: \(error)")
            }
            data = []
        }
    }

    /// Opens a frame's records and hands them to `body`; they are gone when it returns. Throws `FrameError.authentication`
    /// when anything was changed, when the frame is another shard's, or the key another one, and whatever `body` throws.
    static func withOpened<Result>(
        _ bytes: UnsafeRawBufferPointer,
        batch: Int,
        section at: Int,
        key: DataKey,
        shard: UInt32,
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let sealed = UnsafeRawBufferPointer(rebasing: bytes[(batch + BatchLayout.header)...])
        let nonce = PieceNonce(
            first: bytes.load(UInt32.self, at: at + numberAt),
            random: bytes.load(UInt64.self, at: at + randomAt)
        )
        // What has no piece has no tag either: nobody vouches for it.
        guard !sealed.isEmpty else { throw FrameError.authentication }
        var data = authenticated(bytes, batch: batch, section: at, shard: shard)
        let records = try [UInt8](unsafeUninitializedCapacity: sealed.count) { buffer, filled in
            for piece in 0..<pieces(sealed.count) {
                let range = range(piece, sealed.count)
                let tag = at + tagsAt + piece * Self.tag
                let box = try AES.GCM.SealedBox(
                    nonce: AES.GCM.Nonce(data: nonce.bytes(piece)),
                    ciphertext: UnsafeRawBufferPointer(rebasing: sealed[range]),
                    tag: UnsafeRawBufferPointer(rebasing: bytes[tag..<tag + Self.tag])
                )
                guard let opened = try? AES.GCM.open(box, using: key.key, authenticating: data) else {
                    throw FrameError.authentication
                }
                opened.withUnsafeBytes {
                    UnsafeMutableRawPointer(buffer.baseAddress! + range.lowerBound).copyMemory($0)
                }
                data = []
            }
            filled = sealed.count
        }
        return try records.withUnsafeBytes(body)
    }

    private static func range(_ piece: Int, _ count: Int) -> Range<Int> {
        piece * pieceSize..<min(count, (piece + 1) * pieceSize)
    }

    /// What is authenticated beside the records.
    private static func authenticated(
        _ bytes: UnsafeRawBufferPointer,
        batch: Int,
        section at: Int,
        shard: UInt32
    ) -> [UInt8] {
        let count = batch + BatchLayout.header
        let pieces = pieces(bytes.count - count)
        return [UInt8](unsafeUninitializedCapacity: 4 + count) { buffer, filled in
            let target = UnsafeMutableRawBufferPointer(buffer)
            target.store(shard, at: 0)
            let head = UnsafeMutableRawBufferPointer(rebasing: target[4...])
            head.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            head.store(UInt32(0), at: FrameLayout.headerCRC)
            head.store(UInt32(0), at: FrameLayout.unsyncedBytes)
            head.store(UInt32(0), at: batch + BatchLayout.crc)
            for piece in 0..<pieces { head.store(UInt128(0), at: at + tagsAt + piece * tag) }
            filled = 4 + count
        }
    }
}

/// The nonces of a frame's pieces: a number under the data key, which no other piece has, and 64 random bits.
private struct PieceNonce {
    let first: UInt32
    let random: UInt64

    /// The 12 bytes of a piece's nonce, little-endian.
    func bytes(_ piece: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 12) { buffer, filled in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            bytes.store(first &+ UInt32(truncatingIfNeeded: piece), at: 0)
            bytes.store(random, at: 4)
            filled = 12
        }
    }
}

extension UnsafeMutableRawPointer {
    fileprivate func copyMemory(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        copyMemory(from: start, byteCount: bytes.count)
    }
}
