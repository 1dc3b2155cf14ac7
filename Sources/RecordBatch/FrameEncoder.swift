import CChecksums

/// Makes frames of runs.
public enum FrameEncoder {
    /// Bytes a frame may have.
    public static let byteLimit = 64 * 1024 * 1024

    /// Puts runs into one frame, in order. Several runs are copied together; a single one is finished in place.
    ///
    /// - Parameters:
    ///   - runs: at least one record, at most `RecordRun.countLimit` in all.
    ///   - baseOffset: the first record's offset in the shard.
    ///   - arrivalMilliseconds: since 1970.
    ///   - epoch: of the shard's owner.
    public static func seal(
        _ runs: consuming [RecordRun],
        baseOffset: Int64,
        arrivalMilliseconds: Int64,
        epoch: UInt32,
        source: FrameSource
    ) -> [UInt8] {
        var run: RecordRun
        if runs.count == 1 {
            run = runs.removeLast()
        } else {
            run = RecordRun(
                producerCapacity: runs.reduce(0) { $0 + $1.producers.count },
                reserving: runs.reduce(0) { $0 + $1.byteCount + 2 * $1.count }
            )
            for other in runs { run.append(contentsOf: other) }
        }
        precondition(run.count > 0)
        let (count, userBytes, producers) = (run.count, run.userBytes, run.producers)
        let sidecar = FrameLayout.sidecar(producers: run.producerCapacity)
        var bytes: [UInt8] = []
        swap(&bytes, &run.storage)
        bytes.withUnsafeMutableBytes { bytes in
            let batch = FrameLayout.envelope + sidecar
            write(producers, capacity: run.producerCapacity, to: bytes)
            writeBatchHeader(
                bytes,
                at: batch,
                count: count,
                baseOffset: baseOffset,
                arrival: arrivalMilliseconds,
                epoch: epoch
            )
            bytes.store(FrameLayout.magic, at: 0)
            bytes.store(UInt16(FrameLayout.envelope), at: 4)
            bytes.store(FrameLayout.version, at: 6)
            bytes.store(source.rawValue, at: 7)
            bytes.store(UInt32(bytes.count), at: 8)
            bytes.store(baseOffset, at: 16)
            bytes.store(UInt32(count - 1), at: 24)
            bytes.store(UInt32(count), at: 28)
            bytes.store(arrivalMilliseconds, at: 32)
            bytes.store(epoch, at: 40)
            bytes.store(sidecar > 0 ? FrameLayout.sidecarFlag : 0, at: 44)
            bytes.store(UInt16(0), at: 46)
            bytes.store(UInt32(sidecar), at: 48)
            bytes.store(UInt32(bytes.count - batch), at: 52)
            bytes.store(UInt32(userBytes), at: 56)
            bytes.store(UInt32(0), at: 60)
            bytes.store(headerCRC(UnsafeRawBufferPointer(bytes), batch: batch), at: FrameLayout.headerCRC)
        }
        return bytes
    }

    /// Over the envelope but the field itself, the sidecar, and the batch's bytes outside its own CRC.
    static func headerCRC(_ bytes: UnsafeRawBufferPointer, batch: Int) -> UInt32 {
        let first = millrace_crc32c(0, bytes.baseAddress, FrameLayout.headerCRC)
        let rest = FrameLayout.headerCRC + 4
        return millrace_crc32c(first, bytes.baseAddress! + rest, batch + BatchLayout.uncovered - rest)
    }

    private static func write(_ producers: [ProducerRange], capacity: Int, to bytes: UnsafeMutableRawBufferPointer) {
        if capacity == 0 { return }
        var at = FrameLayout.envelope
        bytes.store(FrameLayout.producersTag, at: at)
        bytes.store(UInt8(1), at: at + 1)
        bytes.store(UInt16(0), at: at + 2)
        bytes.store(UInt32(capacity * FrameLayout.producer), at: at + 4)
        at += FrameLayout.sectionHeader
        for index in 0..<capacity {
            let range = index < producers.count ? producers[index] : ProducerRange(producer: 0, first: 1, last: 0)
            bytes.store(range.producer, at: at)
            bytes.store(range.first, at: at + 8)
            bytes.store(range.last, at: at + 16)
            at += FrameLayout.producer
        }
    }

    private static func writeBatchHeader(
        _ bytes: UnsafeMutableRawBufferPointer,
        at batch: Int,
        count: Int,
        baseOffset: Int64,
        arrival: Int64,
        epoch: UInt32
    ) {
        let size = bytes.count - batch
        bytes.store(baseOffset.bigEndian, at: batch)
        bytes.store(UInt32(size - 12).bigEndian, at: batch + 8)
        bytes.store(epoch.bigEndian, at: batch + 12)
        bytes.store(UInt8(2), at: batch + 16)
        bytes.store(BatchLayout.logAppendTime.bigEndian, at: batch + 21)
        bytes.store(UInt32(count - 1).bigEndian, at: batch + 23)
        bytes.store(arrival.bigEndian, at: batch + 27)
        bytes.store(arrival.bigEndian, at: batch + 35)
        bytes.store(Int64(-1), at: batch + 43)
        bytes.store(Int16(-1), at: batch + 51)
        bytes.store(Int32(-1), at: batch + 53)
        bytes.store(UInt32(count).bigEndian, at: batch + 57)
        let crc = millrace_crc32c(0, bytes.baseAddress! + batch + BatchLayout.uncovered, size - BatchLayout.uncovered)
        bytes.store(crc.bigEndian, at: batch + 17)
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        storeBytes(of: value, toByteOffset: offset, as: T.self)
    }
}
