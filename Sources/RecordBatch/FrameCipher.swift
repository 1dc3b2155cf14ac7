import Crypto

// An encrypted frame: what of it is readable without the key, and what the key's owner can tell was changed.
//
//     envelope, 64 bytes                     readable
//     sidecar: producers                     readable
//              tag 2: encryption             readable
//     batch: Kafka's header, 61 bytes        readable
//            records                         AES-256-GCM: keys, values, and their lengths
//
// The section of tag 2, version 1:
//
//      0 u128 the root key's fingerprint (`RootKey`)
//     16 u128 the data key's salt
//     32 u32  the frame's number under the data key ┐ the nonce
//     36 u64  random                                ┘
//     44 16 bytes the tag
//     60 the root key's name, UTF-8, up to the section's end: for messages; the fingerprint alone finds the key
//
// Everything in front of the records is authenticated with them, behind the index of the shard (u32): offsets, count,
// arrival, producers, the key's name. The stream is part of the data key's derivation. So a frame is read as what it was
// written: in its stream, its shard, at its base offset. Four fields count as 0, because they are written later or follow
// from the rest: both checksums, the unsynced bytes, and the tag itself.

/// Encrypts and opens the records of frames.
enum FrameCipher {
    /// The envelope's encryption kind: AES-256-GCM under a derived data key.
    static let kind: UInt16 = 1
    /// Bytes of the section, without the name.
    static let section = 60

    private static let nonceAt = 32
    private static let nonce = 12
    private static let tagAt = 44
    private static let tag = 16

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
        let at = batch - key.sectionLength
        bytes.store(FrameLayout.encryptionTag, at: at - FrameLayout.sectionHeader)
        bytes.store(UInt8(1), at: at - FrameLayout.sectionHeader + 1)
        bytes.store(UInt16(0), at: at - FrameLayout.sectionHeader + 2)
        bytes.store(UInt32(key.sectionLength), at: at - FrameLayout.sectionHeader + 4)
        bytes.store(key.fingerprint, at: at)
        bytes.store(key.salt, at: at + 16)
        bytes.store(key.nextNumber(), at: at + nonceAt)
        bytes.store(random.next(), at: at + nonceAt + 4)
        for (index, byte) in key.name.utf8.enumerated() { bytes[at + section + index] = byte }

        let records = UnsafeMutableRawBufferPointer(rebasing: bytes[(batch + BatchLayout.header)...])
        do {
            let sealed = try AES.GCM.seal(
                plain,
                using: key.dataKey.key,
                nonce: AES.GCM.Nonce(data: UnsafeRawBufferPointer(rebasing: bytes[at + nonceAt..<at + tagAt])),
                authenticating: authenticated(UnsafeRawBufferPointer(bytes), batch: batch, section: at, shard: shard)
            )
            sealed.ciphertext.withUnsafeBytes { records.copyMemory(from: $0) }
            sealed.tag.withUnsafeBytes { tag in
                UnsafeMutableRawBufferPointer(rebasing: bytes[at + tagAt..<at + tagAt + Self.tag]).copyMemory(from: tag)
            }
        } catch {
            // Sizes are all that can be wrong, and they are written above.
            preconditionFailure("AES-GCM refused a key of 32 bytes, a nonce of 12 or a frame: \(error)")
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
        let box = try AES.GCM.SealedBox(
            nonce: AES.GCM.Nonce(data: UnsafeRawBufferPointer(rebasing: bytes[at + nonceAt..<at + tagAt])),
            ciphertext: UnsafeRawBufferPointer(rebasing: bytes[(batch + BatchLayout.header)...]),
            tag: UnsafeRawBufferPointer(rebasing: bytes[at + tagAt..<at + tagAt + tag])
        )
        let data = authenticated(bytes, batch: batch, section: at, shard: shard)
        guard let records = try? AES.GCM.open(box, using: key.key, authenticating: data) else {
            throw FrameError.authentication
        }
        return try records.withUnsafeBytes(body)
    }

    /// What is authenticated beside the records.
    private static func authenticated(
        _ bytes: UnsafeRawBufferPointer,
        batch: Int,
        section at: Int,
        shard: UInt32
    ) -> [UInt8] {
        let count = batch + BatchLayout.header
        return [UInt8](unsafeUninitializedCapacity: 4 + count) { buffer, filled in
            let target = UnsafeMutableRawBufferPointer(buffer)
            target.store(shard, at: 0)
            let head = UnsafeMutableRawBufferPointer(rebasing: target[4...])
            head.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            head.store(UInt32(0), at: FrameLayout.headerCRC)
            head.store(UInt32(0), at: FrameLayout.unsyncedBytes)
            head.store(UInt32(0), at: batch + BatchLayout.crc)
            head.store(UInt128(0), at: at + tagAt)
            filled = 4 + count
        }
    }
}
