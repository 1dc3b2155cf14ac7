import CChecksums
import ShardLog

/// Makes frames of runs.
public enum FrameEncoder {
    /// Bytes a frame may have.
    public static let byteLimit = 64 * 1024 * 1024

    /// Puts runs into one frame, in order, and ends their use. Several are copied together.
    ///
    /// - Parameters:
    ///   - runs: at least one record, at most `RecordRun.countLimit` in all, all with the same key or all without.
    ///   - shard: the index of the shard that the frame is for; an encrypted frame can be read as another shard's by nobody.
    ///   - baseOffset: the first record's offset in the shard.
    ///   - arrivalMilliseconds: since 1970.
    ///   - epoch: of the shard's owner.
    public static func seal(
        _ runs: [RecordRun],
        shard: UInt32,
        baseOffset: Int64,
        arrivalMilliseconds: Int64,
        epoch: UInt32,
        source: FrameSource
    ) -> FrameBytes {
        let key = runs.first?.key
        precondition(runs.allSatisfy { $0.key === key }, "runs of different keys can't share a frame")
        var run = runs[0]
        if runs.count > 1 {
            run = RecordRun(
                producerCapacity: runs.reduce(0) { $0 + $1.producers.count },
                key: key,
                reserving: runs.reduce(0) { $0 + $1.byteCount + RecordRun.renumbering * $1.count }
            )
            for other in runs { run.append(contentsOf: other) }
        }
        return seal(
            run,
            shard: shard,
            baseOffset: baseOffset,
            arrivalMilliseconds: arrivalMilliseconds,
            epoch: epoch,
            source: source
        )
    }

    /// Makes a frame of a run, and ends its use. A plain one is finished in place; the records of one with a key are encrypted
    /// on their way into memory of the frame's own.
    public static func seal(
        _ run: RecordRun,
        shard: UInt32,
        baseOffset: Int64,
        arrivalMilliseconds: Int64,
        epoch: UInt32,
        source: FrameSource
    ) -> FrameBytes {
        let key = run.key
        precondition(run.count > 0)
        let head = Head(
            count: run.count,
            records: run.byteCount,
            userBytes: run.userBytes,
            producers: run.producers,
            producerCapacity: run.producerCapacity,
            key: key,
            baseOffset: baseOffset,
            arrival: arrivalMilliseconds,
            epoch: epoch,
            source: source
        )
        guard let key else {
            let (bytes, range) = run.frame
            head.write(to: bytes)
            writeChecksums(bytes, batch: head.batch)
            return FrameBytes(run.memory, range)
        }
        let size = head.size + run.byteCount
        let memory = FrameMemory(count: size)
        head.write(to: memory.bytes)
        FrameCipher.seal(run.records, into: memory.bytes, batch: head.batch, key: key, shard: shard)
        writeChecksums(memory.bytes, batch: head.batch)
        extendLifetime(run)
        return FrameBytes(memory, 0..<size)
    }

    /// Over the envelope but the field itself, the sidecar, and the batch's bytes outside its own CRC.
    static func headerCRC(_ bytes: UnsafeRawBufferPointer, batch: Int) -> UInt32 {
        let first = millrace_crc32c(0, bytes.baseAddress, FrameLayout.headerCRC)
        let rest = FrameLayout.headerCRC + 4
        return millrace_crc32c(first, bytes.baseAddress! + rest, batch + BatchLayout.uncovered - rest)
    }

    private static func writeChecksums(_ bytes: UnsafeMutableRawBufferPointer, batch: Int) {
        let start = batch + BatchLayout.uncovered
        let crc = millrace_crc32c(0, bytes.baseAddress! + start, bytes.count - start)
        bytes.store(crc.bigEndian, at: batch + BatchLayout.crc)
        bytes.store(headerCRC(UnsafeRawBufferPointer(bytes), batch: batch), at: FrameLayout.headerCRC)
    }

    /// Everything that stands in front of a frame's records, but for the checksums and what encrypting writes.
    private struct Head {
        let count: Int
        /// Bytes of them.
        let records: Int
        let userBytes: Int
        let producers: [ProducerRange]
        let producerCapacity: Int
        let key: FrameKey?
        let baseOffset: Int64
        let arrival: Int64
        let epoch: UInt32
        let source: FrameSource

        var sidecar: Int {
            FrameLayout.sidecar(producers: producerCapacity) + FrameLayout.encryption(records: records, key: key)
        }
        /// Where the batch starts.
        var batch: Int { FrameLayout.envelope + sidecar }
        /// Where the records start.
        var size: Int { batch + BatchLayout.header }

        /// `bytes` is the whole frame.
        func write(to bytes: UnsafeMutableRawBufferPointer) {
            let isEncrypted = key != nil
            bytes.store(FrameLayout.magic, at: 0)
            bytes.store(UInt16(FrameLayout.envelope), at: 4)
            bytes.store(isEncrypted ? FrameLayout.encryptedVersion : FrameLayout.version, at: 6)
            bytes.store(source.rawValue, at: 7)
            bytes.store(UInt32(bytes.count), at: 8)
            bytes.store(baseOffset, at: 16)
            bytes.store(UInt32(count - 1), at: 24)
            bytes.store(UInt32(count), at: 28)
            bytes.store(arrival, at: 32)
            bytes.store(epoch, at: 40)
            let flags = (sidecar > 0 ? FrameLayout.sidecarFlag : 0) | (isEncrypted ? FrameLayout.encryptedFlag : 0)
            bytes.store(flags, at: 44)
            bytes.store(isEncrypted ? FrameCipher.kind : 0, at: 46)
            bytes.store(UInt32(sidecar), at: 48)
            bytes.store(UInt32(bytes.count - batch), at: 52)
            bytes.store(UInt32(userBytes), at: 56)
            bytes.store(UInt32(0), at: 60)
            writeProducers(to: bytes)
            writeBatchHeader(to: UnsafeMutableRawBufferPointer(rebasing: bytes[batch...]))
        }

        private func writeProducers(to bytes: UnsafeMutableRawBufferPointer) {
            if producerCapacity == 0 { return }
            var at = FrameLayout.envelope
            bytes.store(FrameLayout.producersTag, at: at)
            bytes.store(UInt8(1), at: at + 1)
            bytes.store(UInt16(0), at: at + 2)
            bytes.store(UInt32(producerCapacity * FrameLayout.producer), at: at + 4)
            at += FrameLayout.sectionHeader
            for index in 0..<producerCapacity {
                let range = index < producers.count ? producers[index] : ProducerRange(producer: 0, first: 1, last: 0)
                bytes.store(range.producer, at: at)
                bytes.store(range.first, at: at + 8)
                bytes.store(range.last, at: at + 16)
                at += FrameLayout.producer
            }
        }

        private func writeBatchHeader(to batch: UnsafeMutableRawBufferPointer) {
            batch.store(baseOffset.bigEndian, at: 0)
            batch.store(UInt32(batch.count - 12).bigEndian, at: 8)
            batch.store(epoch.bigEndian, at: 12)
            batch.store(UInt8(2), at: 16)
            batch.store(BatchLayout.logAppendTime.bigEndian, at: 21)
            batch.store(UInt32(count - 1).bigEndian, at: 23)
            batch.store(arrival.bigEndian, at: 27)
            batch.store(arrival.bigEndian, at: 35)
            batch.store(Int64(-1), at: 43)
            batch.store(Int16(-1), at: 51)
            batch.store(Int32(-1), at: 53)
            batch.store(UInt32(count).bigEndian, at: 57)
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        storeBytes(of: value, toByteOffset: offset, as: T.self)
    }
}
