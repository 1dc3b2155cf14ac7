import AWSProtocol
import Testing

@testable import Collector

@Suite("put requests in CBOR")
struct CBORPutTests {
    private func scan(_ bytes: [UInt8], _ syntax: PutBody.Syntax = .kinesisRecords) throws -> PutBody {
        try Collector.scan(bytes, syntax, .cbor)
    }

    private func encoded(_ value: JSONValue) -> [UInt8] {
        var bytes: [UInt8] = []
        CBOR.append(value, to: &bytes)
        return bytes
    }

    private func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { JSONValue.Member($0.key, $0.value) })
    }

    /// As Jackson writes: no length is known beforehand, and long strings come in chunks.
    private func jackson(_ value: JSONValue, chunk: Int, to bytes: inout [UInt8]) {
        func chunks(_ major: UInt8, _ content: [UInt8]) {
            bytes.append(major << 5 | 31)
            for start in stride(from: 0, to: content.count, by: chunk) {
                let part = content[start..<min(start + chunk, content.count)]
                CBOR.appendHead(major, UInt64(part.count), to: &bytes)
                bytes += part
            }
            bytes.append(CBOR.end)
        }
        switch value {
        case .string(let text): chunks(3, Array(text.utf8))
        case .bytes(let blob): chunks(2, blob)
        case .array(let elements):
            bytes.append(CBOR.arrayStart)
            for element in elements { jackson(element, chunk: chunk, to: &bytes) }
            bytes.append(CBOR.end)
        case .object(let members):
            bytes.append(CBOR.mapStart)
            for member in members {
                jackson(.string(member.name), chunk: chunk, to: &bytes)
                jackson(member.value, chunk: chunk, to: &bytes)
            }
            bytes.append(CBOR.end)
        default: CBOR.append(value, to: &bytes)
        }
    }

    private struct Seen: Equatable {
        var data: [UInt8]?
        var key: String?
        var hash: String?
    }

    private func seen(_ put: PutBody, _ body: [UInt8]) throws -> [Seen] {
        try put.withBytes(body) { bytes in
            put.entries.map { entry in
                Seen(
                    data: entry.data.isPresent ? Array(bytes[entry.data]) : nil,
                    key: entry.partitionKey.isPresent ? bytes.string(entry.partitionKey) : nil,
                    hash: entry.explicitHashKey.isPresent ? bytes.string(entry.explicitHashKey) : nil
                )
            }
        }
    }

    @Test("are the same with lengths and without, whole and in chunks of any size", arguments: [1, 2, 3, 1000])
    func forms(chunk: Int) throws {
        let records: [Seen] = [
            Seen(data: [], key: "k", hash: nil), Seen(data: Array(0...255), key: "schlüssel 😀", hash: "12"),
            Seen(data: nil, key: nil, hash: nil),
        ]
        let tree = object([
            "Unknown": .array([.number("-1.5"), .null, .bool(true), object(["x": .bytes([1])])]),
            "StreamName": .string("s"),
            "Records": .array(
                records.map { record in
                    object([
                        "Data": record.data.map { .bytes($0) } ?? .null,
                        "PartitionKey": record.key.map { .string($0) } ?? .null,
                        "ExplicitHashKey": record.hash.map { .string($0) } ?? .null,
                    ])
                }
            ),
            "DryRun": .bool(true),
        ])
        var indefinite: [UInt8] = []
        jackson(tree, chunk: chunk, to: &indefinite)
        for body in [encoded(tree), indefinite] {
            let put = try scan(body)
            #expect(put.streamName == "s" && put.isDryRun && put.count == 3)
            #expect(try seen(put, body) == records)
        }
    }

    @Test("a string of known length is used where it stands, one in chunks is copied")
    func copies() throws {
        let whole = encoded(object(["Data": .bytes(Array(repeating: 7, count: 5000)), "PartitionKey": .string("k")]))
        #expect(try scan(whole, .kinesisRecord).copies.isEmpty)
        var chunks: [UInt8] = []
        jackson(object(["Data": .bytes([1, 2, 3]), "PartitionKey": .string("k")]), chunk: 2, to: &chunks)
        #expect(try scan(chunks, .kinesisRecord).copies == [1, 2, 3, 0x6B])
    }

    @Test("tags are passed over, undefined is null, the last of equal members counts")
    func leniency() throws {
        // {"Data": 1(2(h'01')), "Data": undefined, 5("PartitionKey"): 9("k")}
        let body: [UInt8] =
            [0xBF] + [0x64] + Array("Data".utf8) + [0xC1, 0xC2, 0x41, 0x01] + [0x64] + Array("Data".utf8) + [0xF7] + [
                0xC5, 0x6C,
            ]
            + Array("PartitionKey".utf8) + [0xC9, 0x61, 0x6B, 0xFF]
        #expect(try seen(try scan(body, .kinesisRecord), body) == [Seen(data: nil, key: "k", hash: nil)])
    }

    @Test(
        "malformed bytes are a SerializationException, wherever they stand",
        arguments: [
            [], [0xBF], [0xA1], [0x80], [0xF6], [0xA0, 0x00], [0xBF, 0x61, 0x61], [0xBF, 0x61, 0x61, 0xFF],
            [0xA1, 0x01, 0x02],
            [0xA1, 0x61, 0xFF, 0x02], [0xA1, 0x61, 0x61, 0x1C], [0xA1, 0x61, 0x61, 0x18],
            [0xA1, 0x61, 0x61, 0xF8, 0x20],
            [0xA1, 0x61, 0x61, 0xE0], [0xA1, 0x61, 0x61, 0xF9, 0x7C, 0x00], [0xA1, 0x61, 0x61, 0xFA, 0x7F, 0x80, 0, 0],
            [0xA1, 0x61, 0x61, 0x5F, 0x61, 0x61, 0xFF], [0xA1, 0x61, 0x61, 0x5F, 0x5F, 0xFF, 0xFF],
            [0xA1, 0x61, 0x61, 0x1F],
            [0xA1, 0x61, 0x61, 0xDF, 0x00], [0xA1, 0x61, 0x61, 0x62, 0x61], [0xA1, 0x61, 0x61, 0x7F, 0x61, 0xC3, 0xFF],
            [0xA1, 0x61, 0x61, 0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0xA1, 0x61, 0x61, 0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0xA1, 0x61, 0x61, 0xFF],
        ] as [[UInt8]]
    )
    func malformed(bytes: [UInt8]) {
        #expect(throws: AWSError.serialization("")) { try scan(bytes) }
        // What the tree refuses too, but for what is no structure.
        if bytes.first.map({ $0 >> 5 == 5 }) ?? true {
            #expect(throws: CBORSyntaxError.self) { try JSONValue(parsingCBOR: bytes) }
        }
    }

    @Test("nesting is read to 128 levels, tags among them, as in every other request")
    func depth() throws {
        func body(_ levels: Int, _ level: UInt8) -> [UInt8] {
            [0xA1, 0x61, 0x61] + Array(repeating: level, count: levels) + [0x01]
        }
        for level: UInt8 in [0x81, 0xC1] {
            _ = try scan(body(127, level))
            _ = try JSONValue(parsingCBOR: body(127, level))
            #expect(throws: AWSError.serialization("")) { try scan(body(128, level)) }
            #expect(throws: CBORSyntaxError.self) { try JSONValue(parsingCBOR: body(128, level)) }
            #expect(throws: AWSError.serialization("")) { try scan(body(1_000_000, level)) }
        }
    }

    @Test("values of a wrong type are refused in AWS's words, text for a blob among them")
    func types() {
        let number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to"
        let cases: [(JSONValue, String)] = [
            (object(["Data": .string("YQ==")]), "class java.lang.String can not be converted to a Blob"),
            (object(["Data": .number("1")]), "\(number) a Blob"),
            (object(["Data": .array([])]), "Start of list found where not expected"),
            (object(["PartitionKey": .bytes([1])]), "class java.nio.HeapByteBuffer can not be converted to an String"),
            (object(["PartitionKey": .number("1.5")]), "\(number) an String"),
            (object(["PartitionKey": .bool(false)]), "class java.lang.Boolean can not be converted to an String"),
            (object(["PartitionKey": object([:])]), "Start of structure or map found where not expected."),
        ]
        for (record, words) in cases {
            for (body, syntax) in [
                (record, PutBody.Syntax.kinesisRecord), (object(["Records": .array([record])]), .kinesisRecords),
            ] {
                let error = #expect(throws: AWSError.self) { try scan(encoded(body), syntax) }
                #expect(error?.code == "SerializationException" && error?.message == words)
            }
        }
        for (records, words) in [
            (JSONValue.string("x"), "Expected list or null"),
            (object([:]), "Start of structure or map found where not expected."),
            (.array([.number("1")]), "Expected null"), (.array([.array([])]), "Start of list found where not expected"),
        ] {
            let error = #expect(throws: AWSError.self) { try scan(encoded(object(["Records": records]))) }
            #expect(error?.message == words)
        }
    }

    @Test("random changes never crash, and the scan takes what the tree takes")
    func fuzz() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        var good: [UInt8] = []
        jackson(
            object([
                "Records": .array([
                    object(["Data": .bytes([1, 2, 3]), "PartitionKey": .string("ké")]), object(["Data": .bytes([])]),
                ]),
                "StreamName": .string("s"), "x": .array([.number("1"), .number("2.5"), .null]),
            ]),
            chunk: 2,
            to: &good
        )
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let tree = try? JSONValue(parsingCBOR: bytes)
            do {
                _ = try scan(bytes)
                #expect(tree?.members != nil, "seed \(seed)")
            } catch let error as AWSError where error.message.hasPrefix("The request body is not valid CBOR") {
                #expect(tree == nil, "seed \(seed): \(error.message)")
            } catch {}
        }
    }

    // MARK: - Through the service

    private func call(_ service: Service, _ operation: String, _ request: JSONValue) async throws -> JSONValue {
        let bytes = try await service.collector.kinesis(
            APIRequest(operation: operation, region: "eu-west-1", body: encoded(request), format: .cbor)
        ).bytes
        return try JSONValue(parsingCBOR: bytes)
    }

    @Test("records put in CBOR are read in JSON, and the other way round; answers come in the request's format")
    func service() async throws {
        let service = try await Service()
        try await service.call("CreateStream", #"{"StreamName":"s","ShardCount":1}"#)
        let blob: [UInt8] = [0, 0xFF, 0x80, 0x0A]
        let one = try await call(
            service,
            "PutRecord",
            object(["StreamName": .string("s"), "Data": .bytes(blob), "PartitionKey": .string("a")])
        )
        let two = try await call(
            service,
            "PutRecords",
            object([
                "StreamARN": .string("arn:aws:kinesis:eu-west-1:000000000000:stream/s"),
                "Records": .array([object(["Data": .bytes([]), "PartitionKey": .string("b")])]),
            ])
        )
        let three = try await service.put("s", [("c", "three")])
        #expect(one["ShardId"]?.string == "shardId-000000000000" && two["FailedRecordCount"]?.integer == 0)
        let iterator = try await service.iterator("s", "0", "TRIM_HORIZON")
        let records = try await service.read(iterator).records
        let page = try await call(service, "GetRecords", object(["ShardIterator": .string(iterator)]))
        let binary = try #require(page["Records"]?.array)
        #expect(records.map { $0["SequenceNumber"] } == binary.map { $0["SequenceNumber"] })
        #expect(
            records.map { $0["SequenceNumber"] } == [
                one["SequenceNumber"], two["Records"]?.array?[0]["SequenceNumber"],
                three["Records"]?.array?[0]["SequenceNumber"],
            ]
        )
        #expect(records.map { $0["Data"]?.string } == [Base64.encode(blob), "", Base64.encode(Array("three".utf8))])
        #expect(binary.map { $0["Data"] } == [.bytes(blob), .bytes([]), .bytes(Array("three".utf8))])
        #expect(binary[0]["ApproximateArrivalTimestamp"] == .number("\(service.time.now)"))
        #expect(page["MillisBehindLatest"]?.integer == 0 && page["NextShardIterator"]?.string != nil)
    }
}
