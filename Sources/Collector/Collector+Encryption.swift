import AWSProtocol
import RecordBatch
import StreamKeys

/// Encryption at rest: records are encrypted where frames are sealed and opened where their data is answered, so everything
/// between, the log and its recovery, works on what is stored.
extension Collector {
    /// What a stream's next frames are encrypted with; nil for a plain stream. Throws AWS's words when its key can't be used:
    /// nothing of the put is stored then.
    func frameKey(of stream: Stream) throws(AWSError) -> FrameKey? {
        guard let keyID = stream.record.settings.keyID else { return nil }
        return try keys.key(keyID, stream: stream.uid, region: stream.key.region)
    }
}
