import RecordBatch
import ShardLog
import SinkFiles

/// One frame of a shard, checked.
struct FrameReader {
    let arrivalMilliseconds: Int64
    let recordCount: Int
    private let slab: FrameSlab
    private let frame: FrameSlab.Frame

    /// Throws `ShardLogError.corrupt` when a checksum or a length is wrong.
    init(_ slab: FrameSlab, _ frame: FrameSlab.Frame, shard: UInt32) throws(ShardLogError) {
        self.slab = slab
        self.frame = frame
        do {
            (arrivalMilliseconds, recordCount) = try slab.bytes.withUnsafeBytes { bytes in
                let view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
                return (view.arrivalMilliseconds, view.recordCount)
            }
        } catch {
            throw .corrupt("frame \(frame.position) of shard \(shard): \(error)")
        }
    }

    /// Appends records' data, from the one numbered `start` until the file has `limit` bytes; returns how many.
    func copy(from start: Int, to writer: SinkWriter, delimiter: [UInt8], limit: Int) throws -> Int {
        var taken = 0
        try slab.bytes.withUnsafeBytes { bytes in
            let view = try FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[frame.range]))
            try view.forEachRecord(from: start) { _, _, value in
                guard writer.byteCount < limit else { return false }
                try writer.append(value, delimiter: delimiter)
                taken += 1
                return true
            }
        }
        return taken
    }
}
