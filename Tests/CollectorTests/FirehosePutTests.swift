import AWSProtocol
import Testing

@testable import Collector

@Suite("puts to delivery streams")
struct FirehosePutTests {
    private func put(_ service: Service, _ operation: String, _ body: [UInt8], _ format: WireFormat = .json)
        async throws
        -> JSONValue
    {
        let request = APIRequest(operation: operation, region: "eu-west-1", body: body, format: format)
        let answer = try await service.collector.firehosePut(request) { name throws(AWSError) in
            guard name == "d" else { throw .notFound("Firehose \(name) under account 000000000000 not found.") }
            return "hidden"
        }
        return try format == .json ? JSONValue(parsing: answer) : JSONValue(parsingCBOR: answer)
    }

    private func refusal(_ operation: String, _ json: String) async throws -> String {
        let service = try await Service()
        _ = try await service.collector.createHidden("hidden", region: "eu-west-1", shards: 1)
        let error = await #expect(throws: AWSError.self) { _ = try await put(service, operation, Array(json.utf8)) }
        return try #require(error?.description)
    }

    @Test("are answered with an id for each record, in JSON and in CBOR")
    func answers() async throws {
        let service = try await Service()
        _ = try await service.collector.createHidden("hidden", region: "eu-west-1", shards: 1)
        let one = try await put(
            service,
            "PutRecord",
            Array(#"{"DeliveryStreamName":"d","Record":{"Data":"YQ=="}}"#.utf8)
        )
        #expect(one["RecordId"]?.string?.isEmpty == false && one["Encrypted"]?.bool == false)
        var cbor: [UInt8] = []
        let record = JSONValue.object([JSONValue.Member("Data", .bytes([1, 2]))])
        CBOR.append(
            .object([
                JSONValue.Member("DeliveryStreamName", .string("d")),
                JSONValue.Member("Records", .array([record, record])),
            ]),
            to: &cbor
        )
        let batch = try await put(service, "PutRecordBatch", cbor, .cbor)
        #expect(batch["FailedPutCount"]?.integer == 0 && batch["RequestResponses"]?.array?.count == 2)
    }

    private static let null = "failed to satisfy constraint: Member must not be null"
    private static let pattern =
        "failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"

    @Test(
        "every broken constraint is named before the delivery stream is looked for",
        arguments: [
            (
                "PutRecord", "{}",
                "2 validation errors detected: Value null at 'deliveryStreamName' \(null); Value null at 'record' \(null)"
            ),
            (
                "PutRecord", #"{"DeliveryStreamName":"none","Record":null}"#,
                "1 validation error detected: Value null at 'record' \(null)"
            ),
            (
                "PutRecord", #"{"DeliveryStreamName":"a b","Record":{}}"#,
                "2 validation errors detected: Value 'a b' at 'deliveryStreamName' \(pattern); Value null at 'record.data' \(null)"
            ),
            (
                "PutRecordBatch", #"{"DeliveryStreamName":"none","Records":[{"Data":""},{}]}"#,
                "1 validation error detected: Value null at 'records.2.member.data' \(null)"
            ),
            (
                "PutRecordBatch", #"{"DeliveryStreamName":"none","Records":[]}"#,
                "1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"
            ),
        ]
    )
    func constraints(operation: String, json: String, expected: String) async throws {
        #expect(try await refusal(operation, json) == "ValidationException: " + expected)
    }

    @Test("a name of more than 64 characters, data of more than 1,000 KiB and a batch of more than 4 MiB are too long")
    func lengths() async throws {
        let name = String(repeating: "n", count: 65)
        #expect(
            try await refusal("PutRecord", #"{"DeliveryStreamName":"\#(name)","Record":{"Data":""}}"#).hasSuffix(
                "at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"
            )
        )
        let data = Base64.encode(Array(repeating: 7, count: 1_024_001))
        #expect(
            try await refusal("PutRecord", #"{"DeliveryStreamName":"none","Record":{"Data":"\#(data)"}}"#).hasSuffix(
                "at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000"
            )
        )
        let megabyte = #"{"Data":"\#(Base64.encode(Array(repeating: 7, count: 1_000_000)))"}"#
        let batch = Array(repeating: megabyte, count: 5).joined(separator: ",")
        #expect(
            try await refusal("PutRecordBatch", #"{"DeliveryStreamName":"d","Records":[\#(batch)]}"#)
                == "InvalidArgumentException: Records size exceeds 4 MB limit"
        )
    }

    @Test("a delivery stream that is not there is missed when the request is sound, and what is no base64 comes first")
    func order() async throws {
        #expect(
            try await refusal("PutRecord", #"{"DeliveryStreamName":"none","Record":{"Data":"YQ=="}}"#)
                == "ResourceNotFoundException: Firehose none under account 000000000000 not found."
        )
        #expect(
            try await refusal("PutRecord", #"{"DeliveryStreamName":"none","Record":{"Data":"Y"}}"#)
                == "SerializationException: 'Y' can not be converted to a Blob: Base64 encoded length is expected a "
                + "multiple of 4 bytes but found: 1"
        )
    }
}
