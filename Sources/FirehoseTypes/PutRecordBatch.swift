import AWSProtocol

/// One record's part of a `PutRecordBatch` answer.
/// See https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatchResponseEntry.html
public enum PutRecordBatchEntry: Sendable, Equatable {
    /// Stored under `RecordId`.
    case stored(String)
    /// Not stored: `ErrorCode` (`ServiceUnavailableException` or `InternalFailure`) and `ErrorMessage`.
    case failed(code: String, message: String)
}

extension FirehosePut {
    /// The answer of `PutRecordBatch`, entries in the order of the request.
    public static func batchResponse(_ entries: [PutRecordBatchEntry]) -> [UInt8] {
        let failures = entries.count { if case .failed = $0 { true } else { false } }
        return jsonBytes(reserving: 64 + entries.count * 96) {
            $0.name("FailedPutCount")
            $0.integer(failures)
            $0.name("Encrypted")
            $0.bool(false)
            $0.name("RequestResponses")
            $0.array {
                for entry in entries {
                    $0.object { writer in
                        switch entry {
                        case .stored(let id):
                            writer.name("RecordId")
                            writer.string(id)
                        case .failed(let code, let message):
                            writer.name("ErrorCode")
                            writer.string(code)
                            writer.name("ErrorMessage")
                            writer.string(message)
                        }
                    }
                }
            }
        }
    }
}
