import AWSProtocol
import KinesisTypes
import ShardLog
import StreamModel

/// PutRecord and PutRecords.
extension Collector {
    /// Bytes of data and partition keys one PutRecords may carry: 10 MiB.
    static let requestLimit = 10 * 1024 * 1024

    func putRecords(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let put = try Self.scan(request.body, .kinesisRecords)
        try checkCount(put, request)
        let stream = try stream(of: put, request)
        let job = try await store(put, request, in: stream, limit: stream.record.maxRecordBytes)
        var failed = 0
        let answer = jsonBytes(reserving: 64 + put.entries.count * 128) { json in
            json.name("Records")
            json.array { json in
                for outcome in job.outcomes {
                    json.raw { bytes in failed += Self.write(outcome, to: &bytes) }
                }
            }
            json.name("FailedRecordCount")
            json.integer(failed)
            if job.isEncrypted {
                json.name("EncryptionType")
                json.string("KMS")
            }
        }
        return answer
    }

    func putRecord(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let put = try Self.scan(request.body, .kinesisRecord)
        let stream = try stream(of: put, request)
        if let text = put.sequenceNumberForOrdering { try checkOrdering(text, stream.record) }
        let job = try await store(put, request, in: stream, limit: stream.record.maxRecordBytes)
        switch job.outcomes[0] {
        case .stored(let shard, let counter, let arrival), .duplicate(let shard, let counter, let arrival):
            return jsonBytes { json in
                json.name("ShardId")
                json.string(shard.id.description)
                json.name("SequenceNumber")
                json.string(Self.number(shard, counter, arrival).description)
                if job.isEncrypted {
                    json.name("EncryptionType")
                    json.string("KMS")
                }
            }
        case .failed(_, let reason): throw .unavailable("The record could not be stored: \(reason)")
        case .waiting: throw .internalFailure
        }
    }

    static func scan(_ body: [UInt8], _ syntax: PutBody.Syntax) throws(AWSError) -> PutBody {
        try body.withUnsafeBufferPointer { bytes throws(AWSError) in try PutBody(bytes, syntax: syntax) }
    }

    private func stream(of put: PutBody, _ request: APIRequest) throws(AWSError) -> Stream {
        let members = [("StreamName", put.streamName), ("StreamARN", put.streamARN)].compactMap { name, text in
            text.map { JSONValue.Member(name, .string($0)) }
        }
        // The same reading, and the same refusals, as in every other operation.
        var writer = JSONWriter()
        writer.value(.object(members))
        let reference = try DescribeStreamSummaryRequest(body: writer.bytes).stream
        return try serving(reference, request)
    }

    private func checkCount(_ put: PutBody, _ request: APIRequest) throws(AWSError) {
        guard put.hasRecords else {
            throw .validation(
                "1 validation error detected: Value null at 'records' failed to satisfy constraint: Member must not be null"
            )
        }
        let limit = request.producer == nil ? 500 : configuration.maxRecordsPerProducerRequest
        if put.entries.isEmpty || put.entries.count > limit {
            let bound = put.entries.isEmpty ? "greater than or equal to 1" : "less than or equal to \(limit)"
            throw .validation(
                "1 validation error detected: Value '[\(put.entries.count) records]' at 'records' failed to satisfy "
                    + "constraint: Member must have length \(bound)"
            )
        }
    }

    private func checkOrdering(_ text: String, _ record: StreamRecord) throws(AWSError) {
        let invalid = AWSError.invalidArgument(
            "ExclusiveMinimumSequenceNumber \(text) used in PutRecord on stream \(record.key.name) under account "
                + "\(configuration.account) is invalid."
        )
        guard let number = SequenceNumber(decimal: text), Int64(number.time) <= now() / 1000 + 1 else { throw invalid }
    }

    /// Checks the entries and stores them.
    func store(
        _ put: PutBody,
        _ request: APIRequest,
        in stream: Stream,
        limit: Int,
        requestLimit: Int = Collector.requestLimit,
        needsKeys: Bool = true
    ) async throws(AWSError) -> PutJob {
        let producers = try request.producer.map { text throws(AWSError) in try ProducerHeader(text) }
        if let producers, producers.count != put.entries.count {
            throw .invalidArgument(
                "x-millrace-producer numbers \(producers.count) records; the request holds \(put.entries.count)."
            )
        }
        try PutConstraints(limit: limit, requestLimit: requestLimit, needsKeys: needsKeys)
            .check(put.entries, request.body, isBatch: request.operation != "PutRecord")
        var job = PutJob(stream: stream, body: request.body, entries: put.entries, producers: producers)
        try await job.run(
            key: { () throws(AWSError) in try frameKey(of: stream) },
            open: { writer throws(AWSError) in try await open(writer, of: stream) }
        )
        count(job, stream.key)
        return job
    }

    private func count(_ job: PutJob, _ key: StreamKey) {
        var (stored, duplicates, failures) = (0, 0, 0)
        for outcome in job.outcomes {
            switch outcome {
            case .stored: stored += 1
            case .duplicate: duplicates += 1
            case .failed, .waiting: failures += 1
            }
        }
        meters.add(key) { counts in
            counts.recordsStored += stored
            counts.bytesStored += job.userBytes
            counts.duplicatesDropped += duplicates
            counts.putFailures += failures
        }
    }

    static func number(_ shard: Shard, _ counter: UInt64, _ arrival: Int64) -> SequenceNumber {
        SequenceNumber(created: shard.created, counter: counter, time: UInt64(arrival / 1000), shard: shard.id.index)
    }

    /// Appends one entry of PutRecords' answer; returns 1 for a failed one.
    private static func write(_ outcome: PutJob.Outcome, to bytes: inout [UInt8]) -> Int {
        switch outcome {
        case .stored(let shard, let counter, let arrival), .duplicate(let shard, let counter, let arrival):
            bytes.append(contentsOf: "{\"SequenceNumber\":\"".utf8)
            number(shard, counter, arrival).appendDecimal(to: &bytes)
            bytes.append(contentsOf: "\",\"ShardId\":\"".utf8)
            bytes.append(contentsOf: shard.id.description.utf8)
            bytes.append(contentsOf: "\"}".utf8)
            return 0
        case .failed(_, let reason):
            bytes += jsonBytes { json in
                json.name("ErrorCode")
                json.string("InternalFailure")
                json.name("ErrorMessage")
                json.string("The record could not be stored: \(reason)")
            }
            return 1
        case .waiting:
            bytes += jsonBytes { json in
                json.name("ErrorCode")
                json.string("InternalFailure")
                json.name("ErrorMessage")
                json.string("Internal service failure.")
            }
            return 1
        }
    }
}
