import AWSProtocol
import Testing

@testable import Collector

@Suite("scanning put requests")
struct PutBodyTests {
    private func scan(_ text: String, _ syntax: PutBody.Syntax = .kinesisRecords) throws -> PutBody {
        try Collector.scan(Array(text.utf8), syntax)
    }

    private func text(_ text: PutText, of put: PutBody, _ body: String) throws -> String? {
        guard text.isPresent else { return nil }
        return try put.withBytes(Array(body.utf8)) { $0.string(text) }
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
        #expect(try text(put.entries[0].partitionKey, of: put, body) == "k\"1")
        #expect(try text(put.entries[0].data, of: put, body) == "YWJj")
        #expect(try text(put.entries[1].data, of: put, body) == "")
        #expect(try text(put.entries[1].partitionKey, of: put, body) == "ü")
        #expect(try text(put.entries[1].explicitHashKey, of: put, body) == "12")
        #expect(!put.entries[0].explicitHashKey.isPresent)
    }

    @Test("null members count as absent")
    func null() throws {
        let put = try scan(#"{"Records":[{"Data":null,"PartitionKey":null},null],"StreamName":null}"#)
        #expect(put.streamName == nil && put.entries.count == 2)
        #expect(put.entries.allSatisfy { !$0.data.isPresent && !$0.partitionKey.isPresent })
        #expect(try !scan(#"{"Records":null}"#).hasRecords)
        #expect(try !scan(#"{"Record":null}"#, .firehoseRecord).hasRecords)
    }

    @Test("one record stands at the top level of PutRecord and below Record in Firehose")
    func single() throws {
        let kinesis = try scan(
            #"{"Data":"YQ==","PartitionKey":"k","StreamName":"s","SequenceNumberForOrdering":"1","DryRun":true}"#,
            .kinesisRecord
        )
        #expect(kinesis.entries.count == 1 && kinesis.sequenceNumberForOrdering == "1" && kinesis.isDryRun)
        let firehose = try scan(#"{"DeliveryStreamName":"d","Record":{"Data":"YQ=="}}"#, .firehoseRecord)
        #expect(firehose.streamName == "d" && firehose.entries.count == 1)
    }

    @Test("a member of the other service is unknown: it is skipped, whatever its type")
    func services() throws {
        let kinesis = try scan(#"{"DeliveryStreamName":7,"Record":[],"Records":[{"Data":""}]}"#)
        #expect(kinesis.streamName == nil && kinesis.count == 1)
        let firehose = try scan(
            #"{"StreamName":7,"Records":[{"Data":"","PartitionKey":[]}],"DryRun":"x"}"#,
            .firehoseBatch
        )
        #expect(firehose.streamName == nil && !firehose.entries[0].partitionKey.isPresent && !firehose.isDryRun)
    }

    @Test("of a member that is there twice the last one counts, also a list, also null")
    func duplicates() throws {
        let body =
            #"{"StreamName":"a","Records":[{"Data":"YQ=="},{}],"Records":[{"Data":"Yg==","Data":"Yw=="}],"StreamName":"b"}"#
        let put = try scan(body)
        #expect(put.streamName == "b" && put.count == 1)
        #expect(try text(put.entries[0].data, of: put, body) == "Yw==")
        #expect(try !scan(#"{"Records":[{}],"Records":null}"#).hasRecords)
        let record = try scan(#"{"Record":{"Data":"YQ=="},"Record":{}}"#, .firehoseRecord)
        #expect(record.hasRecords && !record.entries[0].data.isPresent)
        #expect(try scan(#"{"Data":"","Data":null}"#, .kinesisRecord).entries[0].data.isPresent == false)
    }

    @Test("names and values written with escapes are what they stand for")
    func escapes() throws {
        let body =
            #"{"\u0052ecords":[{"D\u0061ta":"\u0059Q\u003d=","Partition\u004Bey":"\ud83d\ude00\/"}],"Stream\u004eame":"\u0073"}"#
        let put = try scan(body)
        #expect(put.streamName == "s")
        #expect(try text(put.entries[0].data, of: put, body) == "YQ==")
        #expect(try text(put.entries[0].partitionKey, of: put, body) == "😀/")
    }

    @Test(
        "malformed text is a SerializationException, wherever it stands",
        arguments: [
            "", "[]", "null", "{", #"{"Records":[{"Data":"YQ"#, #"{"Records":[{}]"#, #"{"a" 1}"#, #"{"a":}"#, "{} x",
            #"{"Records":[{} {}]}"#, #"{"Records":[{},]}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":01}"#, #"{"a":1.}"#,
            #"{"a":.5}"#, #"{"a":-}"#, #"{"a":1e}"#, #"{"a":+1}"#, #"{"a":tru}"#, #"{"a":nulll}"#, #"{"a":NaN}"#,
            #"{"a":[1}}"#, #"{"a":[1 2]}"#, #"{"a":{"b"}}"#, #"{"a":{"b":1]}"#, #"{'a':1}"#, #"{a:1}"#, #"{"a":"\x"}"#,
            #"{"a":"\u12"}"#, #"{"a":"\u12g4"}"#, "{\"a\":\"\u{01}\"}", "{\"a\n\":1}", #"{"Records":[{"Data":nul}]}"#,
            #"{"StreamName":nope}"#, #"{"Records":[null,]}"#, "{\"a\":1}\u{00}", "\u{FEFF}{}",
        ]
    )
    func malformed(text: String) {
        #expect(throws: AWSError.serialization("")) { try scan(text) }
    }

    @Test("bytes that are not UTF-8 are refused in names, keys, data and what nobody asked for")
    func encoding() {
        let bad: [[UInt8]] = [
            [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82],
        ]
        for bytes in bad {
            for (before, after) in [
                (#"{""#, #"":1}"#), (#"{"StreamName":""#, #""}"#), (#"{"x":["a\n"#, #""]}"#),
                (#"{"Records":[{"Data":""#, #""}]}"#), (#"{"Records":[{"PartitionKey":"é"#, #""}]}"#),
            ] {
                let body = Array(before.utf8) + bytes + Array(after.utf8)
                #expect(throws: AWSError.serialization("")) { try Collector.scan(body, .kinesisRecords) }
            }
        }
    }

    @Test("nesting is read to 128 levels, as in every other request")
    func depth() throws {
        func body(_ levels: Int) -> String {
            #"{"a":"# + String(repeating: "[", count: levels) + String(repeating: "]", count: levels) + "}"
        }
        _ = try scan(body(127))
        #expect(throws: AWSError.serialization("")) { try scan(body(128)) }
        #expect(throws: AWSError.serialization("")) { try scan(String(repeating: "[", count: 1_000_000)) }
    }

    @Test(
        "values of a wrong type are refused in AWS's words",
        arguments: [
            (#"{"StreamName":true}"#, "class java.lang.Boolean can not be converted to an String"),
            (
                #"{"StreamARN":-2147483648}"#,
                "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"
            ),
            (#"{"StreamName":["a"]}"#, "Start of list found where not expected"),
            (#"{"StreamName":{}}"#, "Start of structure or map found where not expected."),
            (#"{"Records":"23"}"#, "Expected list or null"),
            (#"{"Records":34.56}"#, "Expected list or null"),
            (#"{"Records":{}}"#, "Start of structure or map found where not expected."),
            (#"{"Records":["23"]}"#, "Expected null"),
            (#"{"Records":[true]}"#, "Expected null"),
            (#"{"Records":[[]]}"#, "Start of list found where not expected"),
            (#"{"Records":[{"Data":true}]}"#, "class java.lang.Boolean can not be converted to a Blob"),
            (
                #"{"Records":[{"Data":34.56}]}"#,
                "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to a Blob"
            ),
            (#"{"Records":[{"Data":[]}]}"#, "Start of list found where not expected"),
            (#"{"Records":[{"PartitionKey":{}}]}"#, "Start of structure or map found where not expected."),
            (#"{"DryRun":"yes"}"#, "'YES' can not be converted to an Boolean"),
            (
                #"{"DryRun":0}"#,
                "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an Boolean"
            ),
        ]
    )
    func types(text: String, words: String) {
        let error = #expect(throws: AWSError.self) { try scan(text) }
        #expect(error?.code == "SerializationException" && error?.message == words)
    }

    @Test("more records than any request may have are counted, not kept")
    func many() throws {
        let put = try scan(#"{"Records":["# + String(repeating: "{},", count: 100_000) + "{}]}")
        #expect(put.count == 100_001 && put.entries.count == PutBody.entryLimit)
    }

    @Test("random cuts and flips of a good body never crash, and the tree takes what the scan takes")
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
            guard let put = try? Collector.scan(bytes, .kinesisRecords) else { continue }
            #expect((try? JSONValue(parsing: bytes)) != nil, "seed \(seed)")
            for entry in put.entries where entry.data.isPresent && !entry.data.isCopied {
                #expect(Int(entry.data.start + entry.data.count) <= bytes.count, "seed \(seed)")
            }
        }
    }
}
