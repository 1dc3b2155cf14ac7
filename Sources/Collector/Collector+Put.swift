import AWSProtocol
import KinesisTypes
import ShardLog
import StreamModel

/// PutRecord and PutRecords.
extension Collector {
    /// Bytes of data and partition keys one PutRecords may carry: 10 MiB.
    static let requestLimit = 10 * 1024 * 1024

    /// Data of one record by the API's model: 10 MiB. A stream may take less.
    static let recordLimit = 10 * 1024 * 1024

    func putRecords(_ put: PutBody, _ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let stream = try stream(of: put, request)
        let start = ContinuousClock.now
        var isSuccess = false
        defer { stream.meters.putRecords.ended(since: start, isSuccess: isSuccess) }
        let job = try await store(put, request, in: stream, limit: stream.record.maxRecordBytes)
        isSuccess = countBatch(job, stream)
        var failed = 0
        return request.answer(reserving: 64 + put.entries.count * 128) { answer in
            answer.name("Records")
            answer.array { answer in
                for outcome in job.outcomes { failed += write(outcome, of: stream, to: &answer) }
            }
            answer.name("FailedRecordCount")
            answer.integer(failed)
            if job.isEncrypted {
                answer.name("EncryptionType")
                answer.string("KMS")
            }
        }
    }

    func putRecord(_ put: PutBody, _ request: APIRequest) async throws(AWSError) -> [UInt8] {
        let stream = try stream(of: put, request)
        let start = ContinuousClock.now
        var isSuccess = false
        defer { stream.meters.putRecord.ended(since: start, isSuccess: isSuccess) }
        if let text = put.sequenceNumberForOrdering { try checkOrdering(text, stream.record) }
        let job = try await store(put, request, in: stream, limit: stream.record.maxRecordBytes)
        switch job.outcomes[0] {
        case .stored(let number), .duplicate(let number):
            isSuccess = true
            stream.meters.putRecord.bytes.add(job.userBytes)
            return request.answer { answer in
                answer.name("ShardId")
                answer.string(ShardID(number.shard).description)
                answer.name("SequenceNumber")
                answer.string(number.description)
                if job.isEncrypted {
                    answer.name("EncryptionType")
                    answer.string("KMS")
                }
            }
        case .failed(_, let reason): throw .unavailable("The record could not be stored: \(reason)")
        case .throttled(let shard): throw throughputExceeded(shard, stream.key.name)
        case .waiting: throw .internalFailure
        }
    }

    /// Scans a put's body and hands it on. Whatever that is refused for, a value of a wrong type is named first.
    func scanned(
        _ request: APIRequest,
        _ syntax: PutBody.Syntax,
        _ use: (PutBody, APIRequest) async throws(AWSError) -> [UInt8]
    ) async throws(AWSError) -> [UInt8] {
        let put = try Self.scan(request.body, syntax, request.format)
        do throws(AWSError) {
            return try await use(put, request)
        } catch {
            if error.status < 500 { try put.checkBlobs(request.body) }
            throw error
        }
    }

    static func scan(
        _ body: [UInt8],
        _ syntax: PutBody.Syntax,
        _ format: WireFormat = .json
    ) throws(AWSError) -> PutBody {
        try body.withUnsafeBufferPointer { bytes throws(AWSError) in
            try PutBody(bytes, syntax: syntax, format: format)
        }
    }

    /// The stream that a put names. Every broken constraint of the request is told before the stream is looked for.
    private func stream(of put: PutBody, _ request: APIRequest) throws(AWSError) -> Stream {
        let members = [
            ("StreamName", put.streamName), ("StreamARN", put.streamARN), ("StreamId", put.streamID),
            ("SequenceNumberForOrdering", put.sequenceNumberForOrdering),
        ]
        var reader = RequestReader(
            members: members.compactMap { name, text in text.map { JSONValue.Member(name, .string($0)) } }
        )
        let reference = try reader.requiredStream()
        _ = try reader.string("SequenceNumberForOrdering", pattern: .decimal(moreDigits: 128))
        let constraints = constraints(put, request, dataLimit: Self.recordLimit)
        try constraints.note(in: &reader) {
            // A stream that spreads records by itself needs no keys.
            find(reference, request)?.record.settings.strategy != .auto
        }
        try reader.finish()
        return try serving(reference, request)
    }

    func constraints(_ put: PutBody, _ request: APIRequest, dataLimit: Int) -> PutConstraints {
        PutConstraints(
            put: put,
            body: request.body,
            countLimit: request.producer == nil ? 500 : configuration.maxRecordsPerProducerRequest,
            dataLimit: dataLimit
        )
    }

    private func checkOrdering(_ text: String, _ record: StreamRecord) throws(AWSError) {
        if let number = AnySequenceNumber(decimal: text) {
            guard let time = number.time, time > UInt64(max(0, now() / 1000 + 1)) else { return }
            // A shard that was split or merged from young ones may have a stamp of seconds to come, and so its records.
            if record.shards.shards.contains(where: { time <= $0.created }) { return }
        }
        throw .invalidArgument(
            "ExclusiveMinimumSequenceNumber \(text) used in PutRecord on stream \(record.key.name) under account "
                + "\(configuration.account) is invalid."
        )
    }

    /// Checks what only the stream can tell, and stores the entries.
    func store(
        _ put: PutBody,
        _ request: APIRequest,
        in stream: Stream,
        limit: Int,
        requestLimit: Int = Collector.requestLimit
    ) async throws(AWSError) -> PutJob {
        let producers = try request.producer.map { text throws(AWSError) in try ProducerHeader(text) }
        if let producers, producers.count != put.entries.count {
            throw .invalidArgument(
                "x-millrace-producer numbers \(producers.count) records; the request holds \(put.entries.count)."
            )
        }
        try constraints(put, request, dataLimit: limit).checkSizes(record: limit, request: requestLimit)
        var job = PutJob(
            stream: stream,
            log: log,
            body: request.body,
            put: put,
            producers: producers,
            throttle: throttle(stream.record)
        )
        if put.isDryRun {
            try job.rehearse()
            throw Self.dryRun
        }
        try await job.run(
            key: { () throws(AWSError) in try frameKey(of: stream) },
            open: { writer throws(AWSError) in try await open(writer, of: stream) }
        )
        count(job, stream.meters)
        return job
    }

    private func count(_ job: PutJob, _ meters: StreamMeters) {
        let ends = job.ends
        meters.recordsStored.add(ends.stored)
        meters.bytesStored.add(job.userBytes)
        if ends.duplicates > 0 { meters.duplicatesDropped.add(ends.duplicates) }
        if ends.failed > 0 { meters.putFailures.add(ends.failed) }
        if ends.throttled > 0 { meters.writesThrottled.add(ends.throttled) }
    }

    /// Returns whether any of it is stored.
    private func countBatch(_ job: PutJob, _ stream: Stream) -> Bool {
        let (meters, ends) = (stream.meters, job.ends)
        meters.putRecords.bytes.add(job.userBytes)
        meters.batchRecords.add(job.outcomes.count)
        meters.batchStored.add(ends.stored + ends.duplicates)
        if ends.failed > 0 { meters.batchFailed.add(ends.failed) }
        if ends.throttled > 0 { meters.batchThrottled.add(ends.throttled) }
        return ends.stored + ends.duplicates > 0
    }

    /// Writes one entry of PutRecords' answer; returns 1 for a failed one.
    private func write(_ outcome: PutJob.Outcome, of stream: Stream, to answer: inout AnswerWriter) -> Int {
        func failure(_ message: String, code: String = "InternalFailure") -> Int {
            answer.object { answer in
                answer.name("ErrorCode")
                answer.string(code)
                answer.name("ErrorMessage")
                answer.string(message)
            }
            return 1
        }
        switch outcome {
        case .stored(let number), .duplicate(let number):
            Self.append(number, ShardID(number.shard), to: &answer)
            return 0
        case .throttled(let shard):
            return failure(rateExceeded(shard, stream.key.name), code: "ProvisionedThroughputExceededException")
        case .failed(_, let reason): return failure("The record could not be stored: \(reason)")
        case .waiting: return failure("Internal service failure.")
        }
    }

    /// What nearly every entry is, without a string made.
    private static func append(_ number: SequenceNumber, _ shard: ShardID, to answer: inout AnswerWriter) {
        switch answer.format {
        case .json:
            answer.raw { bytes in
                bytes.append("{\"SequenceNumber\":\"")
                number.appendDecimal(to: &bytes)
                bytes.append("\",\"ShardId\":\"")
                shard.append(to: &bytes)
                bytes.append("\"}")
            }
        case .cbor:
            answer.raw { bytes in
                bytes.append(CBOR.mapStart)
                CBOR.appendName("SequenceNumber", to: &bytes)
                CBOR.appendHead(3, UInt64(SequenceNumber.digits), to: &bytes)
                number.appendDecimal(to: &bytes)
                CBOR.appendName("ShardId", to: &bytes)
                CBOR.appendHead(3, UInt64(ShardID.length), to: &bytes)
                shard.append(to: &bytes)
                bytes.append(CBOR.end)
            }
        }
    }
}
