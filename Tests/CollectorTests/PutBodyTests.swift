import AWSProtocol
import Testing

@testable import Collector

@Suite("scanning put requests")
struct PutBodyTests {
    private func scan(_ text: String, _ syntax: PutBody.Syntax = .kinesisRecords) throws -> PutBody {
        try Collector.scan(Array(text.utf8), syntax)
    }

    private func text(_ part: PutEntry.Text, of body: String) throws -> String? {
        guard part.isPresent else { return nil }
        return try Array(body.utf8).withUnsafeBufferPointer { try $0.string(part) }
    }

    @Test("finds members in any order, blanks anywhere, unknown members skipped")
    func members() throws {
        let body = """
            { "Extra": {"a": [1, {"b": "}]"}]}, "Records" : [ {"PartitionKey":"k\\"1", "Data":"YWJj", "More":null},
              {"Data":"","PartitionKey":"ü","ExplicitHashKey":"12"} ], "StreamName":"s" }
            """
        let put = try scan(body)
        #expect(put.streamName == "s")
        #expect(put.entries.count == 2)
        #expect(try text(put.entries[0].partitionKey, of: body) == "k\"1")
        #expect(try text(put.entries[0].data, of: body) == "YWJj")
        #expect(try text(put.entries[1].data, of: body) == "")
        #expect(try text(put.entries[1].partitionKey, of: body) == "ü")
        #expect(try text(put.entries[1].explicitHashKey, of: body) == "12")
        #expect(!put.entries[0].explicitHashKey.isPresent)
    }

    @Test("null members count as absent")
    func null() throws {
        let put = try scan(#"{"Records":[{"Data":null,"PartitionKey":null}],"StreamName":null}"#)
        #expect(put.streamName == nil)
        #expect(!put.entries[0].data.isPresent)
        #expect(try scan(#"{"Records":null}"#).hasRecords == false)
    }

    @Test("one record stands at the top level of PutRecord and below Record in Firehose")
    func single() throws {
        let kinesis = try scan(
            #"{"Data":"YQ==","PartitionKey":"k","StreamName":"s","SequenceNumberForOrdering":"1"}"#,
            .kinesisRecord
        )
        #expect(kinesis.entries.count == 1 && kinesis.sequenceNumberForOrdering == "1")
        let firehose = try scan(#"{"DeliveryStreamName":"d","Record":{"Data":"YQ=="}}"#, .firehoseRecord)
        #expect(firehose.streamName == "d" && firehose.entries.count == 1)
    }

    @Test(
        "malformed text and wrong types are SerializationException",
        arguments: [
            "", "[]", "{", #"{"Records":[{"Data":"YQ"#, #"{"Records":[{}]"#, #"{"Records":{}}"#, #"{"Records":[1]}"#,
            #"{"Records":[{"Data":1}]}"#, #"{"Records":[{"Data":true}]}"#, #"{"StreamName":["a"]}"#, #"{"a" 1}"#,
            #"{"a":}"#,
            #"{} x"#, #"{"Records":[{} {}]}"#,
        ]
    )
    func malformed(text: String) {
        #expect(throws: AWSError.serialization("")) { try scan(text) }
    }

    @Test("random cuts and flips of a good body never crash")
    func fuzz() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        let good = Array(
            #"{"Records":[{"Data":"YWJj","PartitionKey":"k\u00e9"},{"Data":"","ExplicitHashKey":"1"}],"StreamName":"s"}"#
                .utf8
        )
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            if let put = try? Collector.scan(bytes, .kinesisRecords) {
                for entry in put.entries where entry.data.isPresent {
                    #expect(entry.data.range.upperBound <= bytes.count, "seed \(seed)")
                }
            }
        }
    }
}
