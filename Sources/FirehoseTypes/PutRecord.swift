/// What `PutRecord` and `PutRecordBatch` allow. Their bodies are scanned in place by whoever appends the records; there is no
/// tree of a request.
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html and
/// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
public enum FirehosePut {
    /// Largest `Data` in bytes, before base64: 1,000 KiB.
    public static let recordSizeLimit = 1_024_000
    /// Most records of a batch.
    public static let batchCountLimit = 500
    /// Largest batch in bytes, before base64: 4 MiB.
    public static let batchSizeLimit = 4 * 1024 * 1024
}
