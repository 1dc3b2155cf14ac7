import AWSProtocol
import StreamModel
import Testing

@testable import Collector

@Suite("what a put is refused for first")
struct PutPrecedenceTests {
    private func refusal(_ operation: String, _ json: String, setUp: String? = nil) async throws -> AWSError {
        let service = try await Service()
        try await service.call("CreateStream", setUp ?? #"{"StreamName":"s","ShardCount":2}"#)
        let error = await #expect(throws: AWSError.self) { try await service.call(operation, json) }
        return try #require(error)
    }

    /// The violations that a message lists, without order.
    private func violations(_ error: AWSError) -> Set<String> {
        guard error.code == "ValidationException", let start = error.message.range(of: " detected: ") else { return [] }
        let parts = error.message[start.upperBound...].split(separator: "; Value ").map {
            $0.hasPrefix("Value ") ? String($0.dropFirst(6)) : String($0)
        }
        let noun = parts.count == 1 ? "error" : "errors"
        #expect(error.message.hasPrefix("\(parts.count) validation \(noun) detected: "))
        return Set(parts)
    }

    private static let null = "failed to satisfy constraint: Member must not be null"

    @Test(
        "every broken constraint is named, before the stream is looked for",
        arguments: [
            ("PutRecord", #"{"StreamName":"none"}"#, ["null at 'data' \(null)", "null at 'partitionKey' \(null)"]),
            (
                "PutRecord",
                #"{"StreamName":"","PartitionKey":"","Data":"","ExplicitHashKey":"","SequenceNumberForOrdering":"01"}"#,
                [
                    "'01' at 'sequenceNumberForOrdering' failed to satisfy constraint: Member must satisfy regular expression "
                        + "pattern: 0|([1-9]\\d{0,128})",
                    "'' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1",
                    "'' at 'explicitHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                        + "0|([1-9]\\d{0,38})",
                    "'' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                        + "[a-zA-Z0-9_.-]+",
                    "'' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1",
                ]
            ),
            ("PutRecords", "{}", ["null at 'records' \(null)"]),
            (
                "PutRecords", #"{"StreamName":"none","Records":[]}"#,
                ["'[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"]
            ),
            (
                "PutRecords",
                #"{"StreamName":"none","Records":[{"Data":"","PartitionKey":"k"},{"PartitionKey":"k","ExplicitHashKey":"1x"},null]}"#,
                [
                    "null at 'records.2.member.data' \(null)",
                    "'1x' at 'records.2.member.explicitHashKey' failed to satisfy constraint: Member must satisfy regular "
                        + "expression pattern: 0|([1-9]\\d{0,38})",
                    "null at 'records.3.member.data' \(null)", "null at 'records.3.member.partitionKey' \(null)",
                ]
            ),
        ]
    )
    func constraints(operation: String, json: String, expected: [String]) async throws {
        #expect(violations(try await refusal(operation, json)) == Set(expected))
    }

    @Test("at most ten violations are listed")
    func ten() async throws {
        let records = Array(repeating: "{}", count: 20).joined(separator: ",")
        #expect(violations(try await refusal("PutRecords", #"{"Records":[\#(records)]}"#)).count == 10)
    }

    @Test("a partition key may have 256 UTF-16 units, however many bytes")
    func keyLength() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        for key in [String(repeating: "€", count: 256), String(repeating: "😀", count: 128)] {
            try await service.call("PutRecord", #"{"StreamName":"s","Data":"","PartitionKey":"\#(key)"}"#)
            let error = try await refusal("PutRecord", #"{"StreamName":"s","Data":"","PartitionKey":"\#(key)€"}"#)
            #expect(
                error.message == "1 validation error detected: Value '\(key)€' at 'partitionKey' failed to satisfy "
                    + "constraint: Member must have length less than or equal to 256"
            )
        }
    }

    @Test("501 records are too many, and none of them is shown")
    func list() async throws {
        let records = Array(repeating: #"{"Data":"","PartitionKey":"k"}"#, count: 501).joined(separator: ",")
        let message = try await refusal("PutRecords", #"{"StreamName":"s","Records":[\#(records)]}"#).message
        #expect(
            message
                == "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length "
                + "less than or equal to 500"
        )
    }

    @Test("neither name nor ARN is told after the constraints, and before the stream is missed")
    func nameless() async throws {
        #expect(violations(try await refusal("PutRecord", #"{"Data":""}"#)) == ["null at 'partitionKey' \(Self.null)"])
        let error = try await refusal("PutRecord", #"{"Data":"","PartitionKey":"k"}"#)
        #expect(error.code == "InvalidArgumentException")
        #expect(error.message == "Either StreamName or StreamARN must be provided.")
    }

    @Test(
        "a value of a wrong type comes before all else, also base64 that is none",
        arguments: [
            #"{"StreamName":"none","Records":[{"Data":"!","PartitionKey":"k"}]}"#,
            #"{"Records":[{},{"Data":"abc=d===","PartitionKey":""}]}"#,
            #"{"StreamName":"s","Records":[{"Data":"YQ==","PartitionKey":"k","ExplicitHashKey":"340282366920938463463374607431768211456"},{"Data":"YR==","PartitionKey":"k"}]}"#,
        ]
    )
    func types(json: String) async throws {
        #expect(try await refusal("PutRecords", json).code == "SerializationException")
    }

    @Test(
        "what is no base64 is said in AWS's words",
        arguments: [
            (
                "23456",
                "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5"
            ),
            ("=+/=", "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='"),
            ("ab!=", "'ab!=' can not be converted to a Blob: Invalid Base64 character: '!'"),
            ("+/+=", "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected"),
            ("A===", "'A===' can not be converted to a Blob: Invalid last non-pad Base64 character dectected"),
        ]
    )
    func base64(text: String, words: String) async throws {
        let error = try await refusal("PutRecord", #"{"StreamName":"s","PartitionKey":"k","Data":"\#(text)"}"#)
        #expect(error.message == words)
    }

    @Test("of a long text that is no base64 only the beginning is shown")
    func longBase64() async throws {
        let text = String(repeating: "A", count: 9999)
        let message = try await refusal("PutRecord", #"{"StreamName":"s","PartitionKey":"k","Data":"\#(text)"}"#)
            .message
        #expect(message.hasPrefix("'" + text.prefix(64) + "...' can not be") && message.hasSuffix("found: 9999"))
    }

    @Test("hash keys and numbers that are out of range come when the stream is found")
    func values() async throws {
        let tooLarge = "340282366920938463463374607431768211456"
        let put = #""Data":"","PartitionKey":"k","ExplicitHashKey":"\#(tooLarge)"}"#
        #expect(try await refusal("PutRecord", #"{"StreamName":"none",\#(put)"#).code == "ResourceNotFoundException")
        #expect(try await refusal("PutRecord", #"{"StreamName":"s",\#(put)"#).code == "InvalidArgumentException")
    }

    @Test("data above 10 MiB breaks the API's constraint, above the stream's own limit the stream's")
    func sizes() async throws {
        let large = Base64.encode(Array(repeating: 7, count: 10_485_761))
        let beyond = try await refusal("PutRecord", #"{"StreamName":"none","PartitionKey":"k","Data":"\#(large)"}"#)
        #expect(
            beyond.message.hasSuffix(
                "'data' failed to satisfy constraint: Member must have length less than or equal to 10485760"
            )
        )
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1,"MaxRecordSizeInKiB":2048}"#)
        func put(_ count: Int, _ key: String) async throws {
            let data = Base64.encode(Array(repeating: 7, count: count))
            try await service.call("PutRecord", #"{"StreamName":"s","PartitionKey":"\#(key)","Data":"\#(data)"}"#)
        }
        try await put(2_097_150, "kk")
        let error = await #expect(throws: AWSError.self) { try await put(2_097_150, "kkk") }
        #expect(
            error?.message
                == "1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have "
                + "length less than or equal to 2097152"
        )
    }

    @Test("a whole request of more than 10 MiB is refused, one of exactly 10 MiB is not")
    func requestSize() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let records = (0..<10).map { _ in (key: "k", data: String(repeating: "x", count: 1_048_575)) }
        #expect(try await service.put("s", records)["FailedRecordCount"]?.integer == 0)
        let error = await #expect(throws: AWSError.self) { _ = try await service.put("s", records + [("k", "")]) }
        #expect(error?.code == "InvalidArgumentException" && error?.message == "Records size exceeds 10 MB limit")
    }

    @Test("a dry run says what would be refused, and of a good request that it was none, and stores nothing")
    func dryRun() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        for (operation, record) in [
            ("PutRecord", #""Data":"YQ==","PartitionKey":"k""#),
            ("PutRecords", #""Records":[{"Data":"YQ==","PartitionKey":"k"}]"#),
        ] {
            await #expect(throws: AWSError("DryRunOperationException", "")) {
                try await service.call(operation, #"{"StreamName":"s","DryRun":true,\#(record)}"#)
            }
            await #expect(throws: AWSError.notFound("")) {
                try await service.call(operation, #"{"StreamName":"t","DryRun":true,\#(record)}"#)
            }
        }
        for (bad, code) in [
            (#""Data":"YQ=","PartitionKey":"k""#, "SerializationException"),
            (
                #""Data":"","PartitionKey":"k","ExplicitHashKey":"999999999999999999999999999999999999999""#,
                "InvalidArgumentException"
            ),
        ] {
            await #expect(throws: AWSError(code, "")) {
                try await service.call("PutRecord", #"{"StreamName":"s","DryRun":true,\#(bad)}"#)
            }
        }
        #expect(try await service.contents("s") == ["shardId-000000000000": []])
    }

    @Test("a number for ordering may be of any version, and not of the future")
    func ordering() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        func put(_ number: String) async throws {
            try await service.call(
                "PutRecord",
                #"{"StreamName":"s","Data":"","PartitionKey":"k","SequenceNumberForOrdering":"\#(number)"}"#
            )
        }
        let now = UInt64(service.time.now / 1000)
        for number in ["0", "5", SequenceNumber(created: 1, counter: 0, time: now, shard: 9).description] {
            try await put(number)
        }
        let ahead = SequenceNumber(created: 1, counter: 0, time: now + 2, shard: 0).description
        for number in [ahead, "26227199374822427428162556223570313216", String(repeating: "9", count: 129)] {
            let error = await #expect(throws: AWSError.self) { try await put(number) }
            #expect(
                error?.message
                    == "ExclusiveMinimumSequenceNumber \(number) used in PutRecord on stream s under account "
                    + "000000000000 is invalid."
            )
        }
    }
}
