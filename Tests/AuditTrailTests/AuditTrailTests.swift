import AWSProtocol
import Glibc
import Logging
import Testing

@testable import AuditTrail

@Suite("the audit trail")
struct AuditTrailTests {
    private func event(_ operation: String, request: JSONValue? = nil, error: AWSError? = nil) -> AuditEvent {
        AuditEvent(
            time: 1_795_262_400_000,
            service: "kinesis",
            operation: operation,
            region: "eu-west-1",
            account: "000000000000",
            identity: .init(
                type: "IAMUser",
                arn: "arn:aws:iam::000000000000:user/ada",
                principalID: "AIDA",
                account: "000000000000",
                accessKeyID: "MRKEY",
                userName: "ada"
            ),
            sourceAddress: "127.0.0.1",
            userAgent: "test",
            requestID: "r",
            eventID: "e",
            request: request,
            answer: .object([.init("Consumer", .object([.init("ConsumerName", .string("c"))]))]),
            error: error
        )
    }

    private func scratch() -> String {
        var template = Array("/tmp/millrace-audit-XXXXXX".utf8CString)
        return template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
            + "/audit/audit.jsonl"
    }

    /// Takes away what a test wrote at a path of `scratch`.
    private func remove(_ path: String) {
        unlink(path)
        for number in 1...50 { unlink("\(path).\(number)") }
        let folder = String(path.dropLast("/audit.jsonl".count))
        rmdir(folder)
        rmdir(String(folder.dropLast("/audit".count)))
    }

    private func lines(_ path: String) throws -> [String] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte >= 0 { bytes.append(UInt8(byte)) }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("a call is written with CloudTrail's members, names with a small first letter, keys of tags as they are")
    func shape() throws {
        let request = JSONValue.object([
            .init("StreamName", .string("s")), .init("Tags", .object([.init("Team", .string("A"))])),
        ])
        let json = try JSONValue(parsing: event("RegisterStreamConsumer", request: request).line())
        #expect(json["eventTime"]?.string == "2026-11-21T12:00:00Z")
        #expect(json["eventSource"]?.string == "kinesis.amazonaws.com")
        #expect(json["userIdentity"]?["accessKeyId"]?.string == "MRKEY")
        #expect(json["requestParameters"]?["streamName"]?.string == "s")
        #expect(json["requestParameters"]?["tags"]?["Team"]?.string == "A")
        #expect(json["responseElements"]?["consumer"]?["consumerName"]?.string == "c")
        #expect(json["readOnly"]?.bool == false)
        #expect(json["errorCode"] == nil)
    }

    @Test("a refusal is written with its code, and a look without its answer")
    func refusal() throws {
        let refused = try JSONValue(parsing: event("DeleteStream", error: .notFound("no such stream")).line())
        #expect(refused["errorCode"]?.string == "ResourceNotFoundException")
        #expect(refused["responseElements"] == nil)
        let look = try JSONValue(parsing: event("DescribeStream").line())
        #expect(look["readOnly"]?.bool == true)
        #expect(look["responseElements"] == nil)
    }

    @Test(
        "control calls are recorded, calls that carry records or items are not",
        arguments: [
            ("kinesis", "CreateStream", true), ("kinesis", "PutRecords", false), ("kinesis", "SubscribeToShard", false),
            ("firehose", "PutRecordBatch", false), ("firehose", "UpdateDestination", true),
            ("dynamodb", "UpdateItem", false), ("dynamodb", "Scan", false), ("dynamodb", "CreateTable", true),
            ("dynamodb", "ListTables", true),
        ]
    )
    func recorded(service: String, operation: String, isRecorded: Bool) {
        #expect(AuditEvent.isRecorded(service: service, operation: operation) == isRecorded)
    }

    @Test("lines keep their order over many threads' calls, over rotation, and over a restart behind a torn line")
    func order() async throws {
        let path = scratch()
        defer { remove(path) }
        let limits = AuditTrail.Limits(fileBytes: 2000, files: 50)
        let first = AuditTrail(path: path, limits: limits, logger: logger)
        for number in 0..<500 { first.record(Array("{\"n\":\(number)}\n".utf8)) }
        first.close()
        let file = try #require(fopen(path, "a"))
        fputs("{\"torn", file)
        fclose(file)
        let second = AuditTrail(path: path, limits: limits, logger: logger)
        for number in 500..<600 { second.record(Array("{\"n\":\(number)}\n".utf8)) }
        second.close()
        var all: [String] = []
        for number in stride(from: 50, through: 1, by: -1) where access("\(path).\(number)", F_OK) == 0 {
            all += try lines("\(path).\(number)")
        }
        all += try lines(path)
        #expect(all.filter { !$0.contains("torn") } == (0..<600).map { "{\"n\":\($0)}" })
    }

    @Test("while the file can't be written lines wait, and what finds no room is counted in the file later")
    func failing() async throws {
        let path = scratch()
        defer { remove(path) }
        let folder = String(path.dropLast("/audit.jsonl".count))
        // A file stands where the folder is to be.
        let blocker = try #require(fopen(folder, "w"))
        fclose(blocker)
        let trail = AuditTrail(path: path, limits: .init(waitingBytes: 100), logger: logger)
        // Far more than fits, also where a try that fails has made room for a moment.
        for number in 0..<200 { trail.record(Array("{\"n\":\(number)}\n".utf8)) }
        trail.close()
        unlink(folder)
        for _ in 0..<100 where access(path, F_OK) != 0 { try await Task.sleep(for: .milliseconds(100)) }
        trail.close()
        let lines = try lines(path)
        #expect(lines.first == "{\"n\":0}")
        let gap = try #require(lines.last { $0.contains("AuditGap") })
        let lost = try #require(try JSONValue(parsing: gap.utf8)["eventsLost"]?.integer)
        #expect(lost > 0 && lines.count { $0.contains("\"n\"") } + Int(lost) == 200)
    }
}
