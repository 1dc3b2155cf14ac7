import AWSProtocol
import Logging
import RecordBatch
import ShardLog
import StreamKeys
import StreamModel

@testable import Collector

extension FuzzTarget {
    private static let names = [
        "\"Records\"", "\"Record\"", "\"Data\"", "\"PartitionKey\"", "\"ExplicitHashKey\"", "\"StreamName\"",
        "\"StreamARN\"",
        "\"StreamId\"", "\"DeliveryStreamName\"", "\"SequenceNumberForOrdering\"", "\"DryRun\"", "null", "true",
        "\"YWJj\"",
    ]

    /// Puts in JSON: the scanner and the tree accept the same bodies and see the same in them, and what is put is answered.
    static let jsonPut = FuzzTarget(
        name: "json-put",
        seeds: [
            #"{"StreamName":"s","Records":[{"Data":"YWJj","PartitionKey":"k\u00e9"},{"Data":"","ExplicitHashKey":"1"},null]}"#,
            #"{"Data":"YWJj","PartitionKey":"ü","StreamARN":"a","SequenceNumberForOrdering":"1","DryRun":true,"X":[{"a":1}]}"#,
            #"{"DeliveryStreamName":"d","Record":{"Data":"YQ\u003d="}}"#,
            #"{"DeliveryStreamName":"d","Records":[{"Data":"YQ=="},{"Data":null}],"Records":[]}"#,
        ].map { Array($0.utf8) },
        words: names
    ) { compare($0, .json) }

    /// Puts in CBOR, in the same way.
    static let cborPut = FuzzTarget(
        name: "cbor-put",
        seeds: jsonPut.seeds.flatMap { seed -> [[UInt8]] in
            guard let tree = try? JSONValue(parsing: seed) else { return [] }
            var definite: [UInt8] = []
            CBOR.append(binary(tree), to: &definite)
            var writer = AnswerWriter(.cbor)
            writer.object { for member in tree.members ?? [] { write(member, &$0) } }
            return [definite, writer.bytes]
        },
        words: names.map { $0.filter { $0 != "\"" } }
    ) { compare($0, .cbor) }

    /// Members named `Data` as byte strings.
    private static func binary(_ value: JSONValue, isData: Bool = false) -> JSONValue {
        switch value {
        case .string(let text) where isData: .bytes(Base64.decode(text) ?? [])
        case .array(let elements): .array(elements.map { binary($0) })
        case .object(let members):
            .object(members.map { JSONValue.Member($0.name, binary($0.value, isData: $0.name == "Data")) })
        default: value
        }
    }

    private static func write(_ member: JSONValue.Member, _ writer: inout AnswerWriter) {
        writer.name(escaping: member.name)
        writer.value(binary(member.value, isData: member.name == "Data"))
    }

    private static func compare(_ bytes: UnsafeBufferPointer<UInt8>, _ format: WireFormat) {
        let tree = format == .json ? try? JSONValue(parsing: bytes) : try? JSONValue(parsingCBOR: Array(bytes))
        PutModel.isBinary = format == .cbor
        for syntax in [PutBody.Syntax.kinesisRecord, .kinesisRecords, .firehoseRecord, .firehoseBatch] {
            let model = tree.flatMap { try? PutModel($0, syntax) }
            do {
                let put = try PutBody(bytes, syntax: syntax, format: format)
                guard let model else { fatalError("only the scanner takes this, as \(syntax)") }
                require(
                    PutModel(put, bytes) == model,
                    "the scanner and the tree see different puts in this, as \(syntax)"
                )
                store(put, bytes, model)
            } catch {
                require(error.code == "SerializationException", "refused with \(error.code)")
                require(model == nil, "only the tree takes this, as \(syntax): \(error.message)")
                if error.message.hasPrefix("The request body is not valid") {
                    require(tree == nil, "the scanner calls this malformed: \(error.message)")
                }
            }
        }
    }

    /// Puts the records into a frame and reads them back as GetRecords answers them.
    private static func store(_ put: PutBody, _ bytes: UnsafeBufferPointer<UInt8>, _ model: PutModel) {
        let body = Array(bytes)
        let isBase64 =
            put.format == .cbor
            || model.records.allSatisfy { record in
                record.data.map { Base64.decode(String(decoding: $0, as: UTF8.self)) != nil } ?? true
            }
        require(((try? put.checkBlobs(body)) != nil) == isBase64, "base64 is checked and decoded differently")
        guard isBase64, !put.entries.isEmpty else { return }
        var run = RecordRun(reserving: bytes.count)
        put.copies.withUnsafeBufferPointer { copies in
            for entry in put.entries {
                let bytes = PutBytes(body: bytes, copies: copies)
                let size = put.dataCount(entry, bytes)
                let before = run.userBytes
                do {
                    try put.append(entry, bytes, to: &run)
                } catch {
                    fatalError("good base64 is refused: \(error)")
                }
                require(run.userBytes - before == size + Int(entry.partitionKey.count), "sizes are counted differently")
            }
        }
        let frame = FrameEncoder.seal(
            [run],
            shard: 0,
            baseOffset: 0,
            arrivalMilliseconds: 1_795_000_000_001,
            epoch: 1,
            source: .kinesis
        )
        for format in [WireFormat.json, .cbor] {
            let records = read(frame, format)
            require(records.count == model.records.count, "records are lost")
            for (record, answer) in zip(model.records, records) {
                let key = record.key ?? ""
                require((answer["PartitionKey"]?.string ?? "") == key, "a key comes back as another")
                let data = put.format == .cbor ? record.data : record.data.flatMap { decoded($0) }
                let answered: [UInt8]? =
                    if case .bytes(let bytes)? = answer["Data"] { bytes } else {
                        answer["Data"]?.string.flatMap(Base64.decode)
                    }
                require((answered ?? []) == (data ?? []), "data comes back as other data")
            }
        }
    }

    private static func decoded(_ text: [UInt8]) -> [UInt8]? { Base64.decode(String(decoding: text, as: UTF8.self)) }

    private static let source = RecordSource(
        shard: Shard(id: ShardID(0), range: .all, created: 1, opened: 1),
        uid: "u",
        region: "r",
        keys: KeyRing(
            .none,
            account: "000000000000",
            now: { 0 },
            logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
        )
    )

    private static func read(_ frame: FrameBytes, _ format: WireFormat) -> [JSONValue] {
        let slab = FrameSlab(
            bytes: frame,
            frames: [FrameSlab.Frame(position: Position(rawValue: 1), range: 0..<frame.count)],
            next: Position(rawValue: 2),
            isAtEnd: false
        )
        do {
            let page = try RecordPage(
                slab,
                from: .start,
                index: 0,
                of: source,
                as: format,
                limit: RecordPage.Limit(records: .max, bytes: .max)
            )
            let tree = try format == .json ? JSONValue(parsing: page.bytes) : JSONValue(parsingCBOR: page.bytes)
            return tree.array ?? []
        } catch {
            fatalError("what was stored can't be read: \(error)")
        }
    }
}
