import AWSProtocol
import KinesisTypes
import ShardLog
import StreamModel

/// The put path of direct-put delivery streams: their records go into a hidden stream of one shard.
extension Collector {
    /// Bytes one PutRecordBatch may carry: 4 MiB.
    static let batchLimit = 4 * 1024 * 1024
    /// Bytes one record may have: 1,000 KiB.
    static let deliveryRecordLimit = 1_024_000

    /// The `DeliveryStreamName` of a put, found without a tree. Throws what the scan throws.
    public static func deliveryStreamName(_ request: APIRequest) throws(AWSError) -> String {
        let put = try scan(request.body, request.operation == "PutRecord" ? .firehoseRecord : .firehoseBatch)
        guard let name = put.streamName else {
            throw .validation(
                "1 validation error detected: Value null at 'deliveryStreamName' failed to satisfy constraint: "
                    + "Member must not be null"
            )
        }
        return name
    }

    /// Firehose's PutRecord and PutRecordBatch into a hidden stream.
    public func firehosePut(_ request: APIRequest, into hidden: String) async throws(AWSError) -> [UInt8] {
        let isBatch = request.operation == "PutRecordBatch"
        let put = try Self.scan(request.body, isBatch ? .firehoseBatch : .firehoseRecord)
        guard put.hasRecords, !put.entries.isEmpty else {
            throw .validation(
                "1 validation error detected: Value null at '\(isBatch ? "records" : "record")' failed to satisfy "
                    + "constraint: Member must not be null"
            )
        }
        let limit = request.producer == nil ? 500 : configuration.maxRecordsPerProducerRequest
        guard put.entries.count <= limit else {
            throw .validation(
                "1 validation error detected: Value '[\(put.entries.count) records]' at 'records' failed to satisfy "
                    + "constraint: Member must have length less than or equal to \(limit)"
            )
        }
        let key = StreamKey(region: request.region, name: hidden)
        guard let stream = streams.withLock({ $0[key] }), stream.isServing else {
            throw notFound(hidden)
        }
        let job = try await store(
            put,
            request,
            in: stream,
            limit: Self.deliveryRecordLimit,
            requestLimit: isBatch ? Self.batchLimit : Self.requestLimit,
            needsKeys: false
        )
        return isBatch ? Self.batchAnswer(job) : try Self.recordAnswer(job)
    }

    private static func recordAnswer(_ job: PutJob) throws(AWSError) -> [UInt8] {
        switch job.outcomes[0] {
        case .stored(let shard, let counter, let arrival), .duplicate(let shard, let counter, let arrival):
            return jsonBytes { json in
                json.name("RecordId")
                json.string(number(shard, counter, arrival).description)
                json.name("Encrypted")
                json.bool(job.isEncrypted)
            }
        case .failed(_, let reason): throw .unavailable("The record could not be stored: \(reason)")
        case .waiting: throw .internalFailure
        }
    }

    private static func batchAnswer(_ job: PutJob) -> [UInt8] {
        var failed = 0
        return jsonBytes(reserving: 64 + job.outcomes.count * 80) { json in
            json.name("RequestResponses")
            json.array { json in
                for outcome in job.outcomes {
                    json.object { json in
                        switch outcome {
                        case .stored(let shard, let counter, let arrival),
                            .duplicate(let shard, let counter, let arrival):
                            json.name("RecordId")
                            json.string(number(shard, counter, arrival).description)
                        case .failed(_, let reason):
                            failed += 1
                            json.name("ErrorCode")
                            json.string("ServiceUnavailableException")
                            json.name("ErrorMessage")
                            json.string("The record could not be stored: \(reason)")
                        case .waiting:
                            failed += 1
                            json.name("ErrorCode")
                            json.string("InternalFailure")
                            json.name("ErrorMessage")
                            json.string("Internal service failure.")
                        }
                    }
                }
            }
            json.name("FailedPutCount")
            json.integer(failed)
            json.name("Encrypted")
            json.bool(job.isEncrypted)
        }
    }
}
