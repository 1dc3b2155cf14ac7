import CChecksums
import Crypto
import ShardLog
import Testing

@testable import RecordBatch

@Suite("encrypted frames")
struct EncryptionTests {
    private let root = RootKey(Array(0..<32))!
    private let secret = Array("attack at dawn".utf8)

    private func key(_ root: RootKey? = nil, stream: String = "s-1", salt: UInt128 = 7) -> FrameKey {
        FrameKey(root ?? self.root, name: "alias/orders", stream: stream, salt: salt)
    }

    private func run(_ values: [[UInt8]], key: FrameKey?, producers: [ProducerRange] = []) -> RecordRun {
        var run = RecordRun(producerCapacity: producers.count, key: key, reserving: 64)
        for (index, value) in values.enumerated() {
            Array("key \(index)".utf8).withUnsafeBytes { key in
                value.withUnsafeBytes { run.append(key: key, value: $0) }
            }
        }
        run.producers = producers
        return run
    }

    private func seal(_ runs: [RecordRun], shard: UInt32 = 3, baseOffset: Int64 = 1000) -> [UInt8] {
        let frame = FrameEncoder.seal(
            runs,
            shard: shard,
            baseOffset: baseOffset,
            arrivalMilliseconds: 1_795_000_000_123,
            epoch: 7,
            source: .kinesis
        )
        return [UInt8](frame)
    }

    private func read(
        _ frame: [UInt8],
        _ root: RootKey? = nil,
        stream: String = "s-1",
        shard: UInt32 = 3
    ) throws -> [[UInt8]] {
        try frame.withUnsafeBytes { bytes in
            let view = try FrameView(validating: bytes)
            let salt = try view.encryption()?.salt ?? 0
            var values: [[UInt8]] = []
            let dataKey = (root ?? self.root).dataKey(salt: salt, stream: stream)
            try view.withRecords(openedWith: dataKey, shard: shard) { records in
                try records.forEach(from: 0) { _, _, value in
                    values.append(Array(value))
                    return true
                }
            }
            return values
        }
    }

    private func holds(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        bytes.indices.dropLast(part.count - 1).contains { bytes[$0...].starts(with: part) }
    }

    /// Makes both checksums right again, as somebody who means to deceive would.
    private func checked(_ frame: [UInt8]) -> [UInt8] {
        var frame = frame
        frame.withUnsafeMutableBytes { bytes in
            let batch = 64 + Int(UnsafeRawBufferPointer(bytes).load(UInt32.self, at: 48))
            guard batch + 61 < bytes.count else { return }
            let crc = millrace_crc32c(0, bytes.baseAddress! + batch + 21, bytes.count - batch - 21)
            bytes.store(crc.bigEndian, at: batch + 17)
            bytes.store(FrameEncoder.headerCRC(UnsafeRawBufferPointer(bytes), batch: batch), at: 12)
        }
        return frame
    }

    @Test("give back what was put in, to whoever has the key, and show neither data nor partition keys without it")
    func roundTrip() throws {
        let values = [secret, [], [UInt8](repeating: 7, count: 100_000)]
        let frame = seal([run(values, key: key())])
        #expect(try read(frame) == values)
        #expect(!holds(frame, secret) && !holds(frame, Array("key 0".utf8)))
        #expect(holds(seal([run(values, key: nil)]), secret))
    }

    @Test("tell what their owner needs without the key: offsets, count, arrival, sizes, producers, and which key it is")
    func readableHead() throws {
        let producers = [ProducerRange(producer: 9, first: 1, last: 2)]
        let key = key()
        let frame = seal([run([secret, secret], key: key, producers: producers)])
        try frame.withUnsafeBytes { bytes in
            let view = try FrameView(validating: bytes)
            #expect(view.header.isEncrypted && view.baseOffset == 1000 && view.recordCount == 2)
            #expect(view.lastOffsetDelta == 1 && view.arrivalMilliseconds == 1_795_000_000_123)
            #expect(view.header.userBytes == 2 * (secret.count + 5) && view.producers == producers)
            let encryption = try #require(try view.encryption())
            #expect(encryption.fingerprint == root.fingerprint && encryption.salt == 7)
            #expect(encryption.name == "alias/orders")
            #expect(throws: FrameError.encrypted) { try view.records() }
            #expect(throws: FrameError.encrypted) { try view.forEachRecord(from: 0) { _, _, _ in true } }
        }
    }

    @Test("differ from plain frames in nothing that plain ones had before: those stay as they were, byte for byte")
    func plain() throws {
        let frame = seal([run([secret], key: nil)])
        #expect(frame[6] == 1 && frame[44...47] == [0, 0, 0, 0])
        #expect(try read(frame) == [secret])
        let encrypted = seal([run([secret], key: key())])
        #expect(encrypted[6] == 2 && encrypted[44...47] == [3, 0, 1, 0])
    }

    @Test("of several runs hold all their records and producers")
    func merge() throws {
        let key = key()
        let ranges = (0..<3).map { ProducerRange(producer: UInt64($0), first: 0, last: 1) }
        let runs = (0..<3).map { run([[UInt8($0)], secret], key: key, producers: [ranges[$0]]) }
        let frame = seal(runs)
        #expect(try read(frame) == [[0], secret, [1], secret, [2], secret])
        #expect(try frame.withUnsafeBytes { try FrameView(validating: $0).producers } == ranges)
    }

    @Test("with any bit changed are refused, also when both checksums were made right again")
    func tampering() throws {
        let producers = [ProducerRange(producer: 1, first: 0, last: 0)]
        let frame = seal([run([secret], key: key(), producers: producers)])
        let batch = 64 + (8 + 24) + (8 + 60 + "alias/orders".utf8.count)
        // Who changes only what is counted as 0 has changed nothing once the checksums are right.
        let free = Set(12..<16).union(60..<64).union(batch + 17..<batch + 21)
        for bit in 0..<frame.count * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: FrameError.self, "bit \(bit)") { try read(damaged) }
            if free.contains(bit / 8) { continue }
            #expect(throws: FrameError.self, "bit \(bit), checksums right") { try read(checked(damaged)) }
        }
        for at in free {
            var changed = frame
            changed[at] ^= 1
            #expect(try read(checked(changed)) == [secret])
        }
    }

    @Test("of more than one piece have a nonce and a tag for each, and none can take another's place")
    func pieces() throws {
        let size = FrameCipher.pieceSize
        let value = (0..<2 * size + 100).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let frame = seal([run([value], key: key())])
        #expect(try read(frame) == [value])
        // As the format's page says it, step by step.
        let (section, name) = (64 + 8, "alias/orders".utf8.count)
        let records = section + 44 + 3 * 16 + name + 61
        let dataKey = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Array(0..<32) as [UInt8]),
            salt: [7] + [UInt8](repeating: 0, count: 15),
            info: Array("millrace frame 1s-1".utf8),
            outputByteCount: 32
        )
        var opened: [UInt8] = []
        for piece in 1..<3 {
            let range = records + piece * size..<min(frame.count, records + (piece + 1) * size)
            let tag = section + 44 + piece * 16
            let nonce = [UInt8(piece), 0, 0, 0] + frame[section + 36..<section + 44]
            let box = try AES.GCM.SealedBox(
                nonce: AES.GCM.Nonce(data: nonce),
                ciphertext: frame[range],
                tag: frame[tag..<tag + 16]
            )
            opened += try AES.GCM.open(box, using: dataKey)
        }
        // Behind the value stands the record's last byte, its number of headers.
        #expect(opened.count > size && Array(opened.dropLast()) == value.suffix(opened.count - 1))

        var swapped = frame
        for (one, other, count) in [(records, records + size, size), (section + 44, section + 60, 16)] {
            for index in 0..<count { swapped.swapAt(one + index, other + index) }
        }
        #expect(throws: FrameError.authentication) { try read(checked(swapped)) }
        for at in [records + size, records + 2 * size, section + 44 + 16, section + 44 + 32] {
            var changed = frame
            changed[at] ^= 1
            #expect(throws: FrameError.authentication) { try read(checked(changed)) }
        }
        // Another frame's piece of the same place and key.
        let other = seal([run([value], key: key())])
        var mixed = frame
        mixed.replaceSubrange(records + size..<records + 2 * size, with: other[records + size..<records + 2 * size])
        mixed.replaceSubrange(section + 60..<section + 76, with: other[section + 60..<section + 76])
        #expect(throws: FrameError.authentication) { try read(checked(mixed)) }
    }

    @Test("without any records are refused: there would be nothing to authenticate them by")
    func empty() throws {
        let frame = seal([run([secret], key: key())])
        let records = 64 + 8 + 44 + 16 + "alias/orders".utf8.count + 61
        var cut = Array(frame[..<records])
        cut.withUnsafeMutableBytes { bytes in
            bytes.store(UInt32(records), at: 8)
            bytes.store(UInt32(0), at: 28)
            bytes.store(UInt32(61), at: 52)
        }
        let none = cut.withUnsafeMutableBytes { bytes in
            bytes.store(millrace_crc32c(0, bytes.baseAddress! + records - 40, 40).bigEndian, at: records - 44)
            bytes.store(FrameEncoder.headerCRC(UnsafeRawBufferPointer(bytes), batch: records - 61), at: 12)
            return Array(bytes)
        }
        #expect(throws: FrameError.authentication) { try read(none) }
    }

    @Test("of every size around a piece's come back as they were")
    func sizes() throws {
        for size in [0, 1, 2, 63, 64, 65].map({ $0 * 1024 }) + (-30...5).map({ FrameCipher.pieceSize + $0 }) {
            let value = [UInt8](repeating: 0x5A, count: size)
            #expect(try read(seal([run([value], key: key())])) == [value])
        }
    }

    @Test("are opened by the key they were written with and by no other, whose fingerprint differs")
    func wrongKey() throws {
        let frame = seal([run([secret], key: key())])
        let other = RootKey([UInt8](repeating: 9, count: 32))!
        #expect(throws: FrameError.authentication) { try read(frame, other) }
        #expect(other.fingerprint != root.fingerprint)
        #expect(RootKey(Array(0..<32))?.fingerprint == root.fingerprint)
        #expect(RootKey(Array(0..<31)) == nil && RootKey([]) == nil)
    }

    @Test("are read only in the stream, the shard and at the offset they were written for")
    func moved() throws {
        let frame = seal([run([secret], key: key())])
        #expect(throws: FrameError.authentication) { try read(frame, stream: "s-2") }
        #expect(throws: FrameError.authentication) { try read(frame, shard: 4) }
        var renumbered = frame
        renumbered.withUnsafeMutableBytes { $0.store(Int64(1001), at: 16) }
        #expect(throws: FrameError.authentication) { try read(checked(renumbered)) }
        // An encrypted frame's records behind a plain one's head, and the other way round.
        let plain = seal([run([secret], key: nil)])
        for (head, tail) in [(plain, frame), (frame, plain)] {
            #expect(throws: FrameError.self) { try read(checked(Array(head.prefix(64)) + tail.dropFirst(64))) }
        }
    }

    @Test("say plainly that their kind of encryption is unknown, and keep their checksums' promise")
    func unknownKind() throws {
        var frame = seal([run([secret], key: key())])
        frame[46] = 2
        frame = checked(frame)
        #expect(throws: FrameError.encryption(kind: 2)) { try read(frame) }
        frame[46] = 1
        frame[6] = 1
        #expect(throws: FrameError.flags) { try read(checked(frame)) }
        frame[6] = 3
        #expect(throws: FrameError.version(3)) { try read(checked(frame)) }
    }

    @Test("take a nonce that no other frame of their data key has")
    func nonces() throws {
        let key = key()
        let nonces = (0..<300).map { _ in
            let frame = seal([run([secret], key: key)])
            return Array(frame[64 + 8 + 32..<64 + 8 + 44])
        }
        #expect(Set(nonces).count == 300)
        #expect(nonces.enumerated().allSatisfy { $1[0] == UInt8($0 & 255) && $1[1] == UInt8($0 >> 8) })
        // Not the number alone: a copy of a running machine has the same ones.
        #expect(Set(nonces.map { Array($0[4...]) }).count == 300)
    }

    @Test("under one salt and one stream have one data key, and another under every other")
    func dataKeys() {
        func bits(_ salt: UInt128, _ stream: String) -> [UInt8] {
            root.dataKey(salt: salt, stream: stream).key.withUnsafeBytes { Array($0) }
        }
        #expect(bits(1, "a") == bits(1, "a"))
        #expect(Set([bits(1, "a"), bits(2, "a"), bits(1, "b"), Array(0..<32)]).count == 4)
    }

    @Test("keep their format: a frame of a known key, nonce and salt is opened by every later program")
    func golden() throws {
        let hex = GoldenFrame.hex
        let frame = stride(from: 0, to: hex.count, by: 2).map { at in
            let start = hex.index(hex.startIndex, offsetBy: at)
            return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16)!
        }
        #expect(try read(frame) == [secret])
        #expect(
            try frame.withUnsafeBytes { try FrameView(validating: $0).encryption() }?.fingerprint == root.fingerprint
        )
    }
}
