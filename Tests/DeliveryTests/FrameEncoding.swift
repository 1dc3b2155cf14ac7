import RecordBatch
import ShardLog

/// One frame with these records' data.
func encodeFrame(_ records: [[UInt8]], arrival: Int64) -> [UInt8] {
    var run = RecordRun(reserving: records.reduce(0) { $0 + $1.count + 32 })
    for record in records {
        Array("key".utf8).withUnsafeBytes { key in record.withUnsafeBytes { run.append(key: key, value: $0) } }
    }
    let frame = FrameEncoder.seal(
        [run],
        shard: 0,
        baseOffset: 0,
        arrivalMilliseconds: arrival,
        epoch: 1,
        source: .kinesis
    )
    return [UInt8](frame)
}
