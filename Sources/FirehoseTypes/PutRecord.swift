import AWSProtocol

/// `PutRecord` and `PutRecordBatch`: limits, refusals and answers. Their bodies are scanned in place by whoever appends
/// the records; there is no tree of a request.
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html
public enum FirehosePut {
    /// Largest `Data` in bytes, before base64: 1000 KiB.
    public static let recordSizeLimit = 1_024_000
    /// Most records of a batch.
    public static let batchCountLimit = 500
    /// Largest batch in bytes, before base64: 4 MiB.
    public static let batchSizeLimit = 4 * 1024 * 1024

    /// Throws `ValidationException` unless the name may be one. nil: it was not given.
    public static func check(deliveryStreamName name: String?) throws(AWSError) {
        let member = name.map { [JSONValue.Member("DeliveryStreamName", .string($0))] } ?? []
        var writer = JSONWriter()
        writer.value(.object(member))
        var reader = try RequestReader(body: writer.bytes)
        _ = try reader.deliveryStreamName()
        try reader.finish()
    }

    /// `Record` or its `Data` is absent. `path` is such as `record.data` or `records.3.member.data`.
    public static func missing(_ path: String) -> AWSError {
        violation("null", path, "Member must not be null")
    }

    /// `Data` is too large.
    public static func tooLarge(_ path: String, byteCount: Int) -> AWSError {
        violation(
            "'java.nio.HeapByteBuffer[pos=0 lim=\(byteCount) cap=\(byteCount)]'",
            path,
            "Member must have length less than or equal to \(recordSizeLimit)"
        )
    }

    /// `Records` is empty or too long.
    public static func badCount(_ count: Int) -> AWSError {
        let bound = count == 0 ? "greater than or equal to 1" : "less than or equal to \(batchCountLimit)"
        return violation("'[\(count) records]'", "records", "Member must have length \(bound)")
    }

    /// The batch is too large.
    public static let batchTooLarge = AWSError.invalidArgument("Records size exceeds 4 MB limit")

    private static func violation(_ shown: String, _ path: String, _ constraint: String) -> AWSError {
        .validation(
            "1 validation error detected: Value \(shown) at '\(path)' failed to satisfy constraint: \(constraint)"
        )
    }

    /// The answer of `PutRecord`.
    public static func response(recordID: String) -> [UInt8] {
        jsonBytes {
            $0.name("RecordId")
            $0.string(recordID)
            $0.name("Encrypted")
            $0.bool(false)
        }
    }
}
