import AWSProtocol
import FirehoseTypes
import ShardLog
import StreamModel

/// The put path of direct-put delivery streams: their records go into a hidden stream of one shard.
extension Collector {
    /// What Firehose says of records that come too fast.
    private static let slowDown = "Slow down."

    /// Firehose's PutRecord and PutRecordBatch.
    ///
    /// - Parameter hiddenStream: finds the hidden stream of a delivery stream, by its name. Called once the request is found to
    ///   satisfy every constraint; what it throws is answered.
    public func firehosePut(
        _ request: APIRequest,
        hiddenStream: (String) async throws(AWSError) -> String
    ) async throws(AWSError) -> [UInt8] {
        let isBatch = request.operation == "PutRecordBatch"
        return try await scanned(request, isBatch ? .firehoseBatch : .firehoseRecord) { put, request throws(AWSError) in
            let hidden = try await hiddenStream(try self.deliveryStream(of: put, request))
            let key = StreamKey(region: request.region, name: hidden)
            guard let stream = self.streams.withLock({ $0[key] }), stream.isServing else {
                throw self.notFound(hidden)
            }
            let job = try await self.store(
                put,
                request,
                in: stream,
                limit: FirehosePut.recordSizeLimit,
                requestLimit: FirehosePut.batchSizeLimit
            )
            return isBatch ? Self.batchAnswer(job, request) : try Self.recordAnswer(job, request)
        }
    }

    /// The delivery stream that a put names, when nothing breaks a constraint.
    private func deliveryStream(of put: PutBody, _ request: APIRequest) throws(AWSError) -> String {
        let name = put.streamName.map { JSONValue.Member("DeliveryStreamName", .string($0)) }
        var reader = RequestReader(members: name.map { [$0] } ?? [])
        let checked = try reader.deliveryStreamName()
        try constraints(put, request, dataLimit: FirehosePut.recordSizeLimit).note(in: &reader) { false }
        try reader.finish()
        return checked
    }

    private static func recordAnswer(_ job: PutJob, _ request: APIRequest) throws(AWSError) -> [UInt8] {
        switch job.outcomes[0] {
        case .stored(let number), .duplicate(let number):
            return request.answer { json in
                json.name("RecordId")
                json.string(number.description)
                json.name("Encrypted")
                json.bool(job.isEncrypted)
            }
        case .failed(_, let reason): throw .unavailable("The record could not be stored: \(reason)")
        case .throttled: throw .unavailable(slowDown)
        case .waiting: throw .internalFailure
        }
    }

    private static func batchAnswer(_ job: PutJob, _ request: APIRequest) -> [UInt8] {
        var failed = 0
        return request.answer(reserving: 64 + job.outcomes.count * 80) { json in
            json.name("RequestResponses")
            json.array { json in
                for outcome in job.outcomes {
                    json.object { json in
                        switch outcome {
                        case .stored(let number), .duplicate(let number):
                            json.name("RecordId")
                            json.string(number.description)
                        case .failed(_, let reason):
                            failed += 1
                            json.name("ErrorCode")
                            json.string("ServiceUnavailableException")
                            json.name("ErrorMessage")
                            json.string("The record could not be stored: \(reason)")
                        case .throttled:
                            failed += 1
                            json.name("ErrorCode")
                            json.string("ServiceUnavailableException")
                            json.name("ErrorMessage")
                            json.string(slowDown)
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
