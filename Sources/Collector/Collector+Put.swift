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
        let job = try await store(put, request, in: stream, limit: stream.record.maxRecordBytes)
        var failed = 0
        return request.answer(reserving: 64 + put.entries.count * 128) { answer in
            answer.name("Records")
            answer.array { answer in
                for outcome in job.outcomes { failed += Self.write(outcome, to: &answer) }
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
        if let text = put.sequenceNumberForOrdering { try checkOrdering(text, stream.record) }
        let job = try await store(put, request, in: stream, limit: stream.record.maxRecordBytes)
        switch job.outcomes[0] {
        case .stored(let shard, let counter, let arrival), .duplicate(let shard, let counter, let arrival):
            return request.answer { answer in
                answer.name("ShardId")
                answer.string(shard.id.description)
                answer.name("SequenceNumber")
                answer.string(Self.number(shard, counter, arrival).description)
                if job.isEncrypted {
                    answer.name("EncryptionType")
                    answer.string("KMS")
                }
            }
        case .failed(_, let reason): throw .unavailable("The record could not be stored: \(reason)")
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
        if let number = AnySequenceNumber(decimal: text), number.time.map({ Int64($0) <= now() / 1000 + 1 }) ?? true {
            return
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
        var job = PutJob(stream: stream, body: request.body, put: put, producers: producers)
        if put.isDryRun {
            try job.rehearse()
            throw Self.dryRun
        }
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

    /// Writes one entry of PutRecords' answer; returns 1 for a failed one.
    private static func write(_ outcome: PutJob.Outcome, to answer: inout AnswerWriter) -> Int {
        func failure(_ message: String) -> Int {
            answer.object { answer in
                answer.name("ErrorCode")
                answer.string("InternalFailure")
                answer.name("ErrorMessage")
                answer.string(message)
            }
            return 1
        }
        switch outcome {
        case .stored(let shard, let counter, let arrival), .duplicate(let shard, let counter, let arrival):
            append(number(shard, counter, arrival), shard.id, to: &answer)
            return 0
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
