import RecordBatch
import ShardLog
import SinkFiles
import StreamKeys

/// One frame of a shard, checked.
struct FrameReader {
    let arrivalMilliseconds: Int64
    let recordCount: Int
    private let slab: FrameSlab
    private let frame: FrameSlab.Frame
    private let shard: ShardRef

    /// Throws `ShardLogError.corrupt` when a checksum or a length is wrong.
    init(_ slab: FrameSlab, _ frame: FrameSlab.Frame, shard: ShardRef) throws(ShardLogError) {
        self.slab = slab
        self.frame = frame
        self.shard = shard
        do {
            (arrivalMilliseconds, recordCount) = try slab.bytes.withUnsafeBytes { bytes in
                let view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
                return (view.arrivalMilliseconds, view.recordCount)
            }
        } catch {
            throw Self.corrupt(frame, shard, error)
        }
    }

    private static func corrupt(_ frame: FrameSlab.Frame, _ shard: ShardRef, _ error: any Error) -> ShardLogError {
        .corrupt("frame \(frame.position) of shard \(shard.index): \(error)")
    }

    /// Appends records' data, from the one numbered `start` until the file has `limit` bytes; returns how many. Throws
    /// `AWSError` when the frame's key can't be used now.
    func copy(
        from start: Int,
        to writer: SinkWriter,
        keys: KeyRing,
        region: String,
        delimiter: [UInt8],
        limit: Int
    ) throws -> Int {
        var taken = 0
        do {
            try slab.bytes.withUnsafeBytes { bytes in
                let view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
                try keys.withRecords(of: view, stream: shard.stream, shard: shard.index, region: region) { records in
                    try records.forEach(from: start) { _, _, value in
                        guard writer.byteCount < limit else { return false }
                        try writer.append(value, delimiter: delimiter)
                        taken += 1
                        return true
                    }
                }
            }
        } catch let error as FrameError {
            throw Self.corrupt(frame, shard, error)
        }
        return taken
    }
}
