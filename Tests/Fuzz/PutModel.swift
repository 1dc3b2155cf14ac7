import AWSProtocol

@testable import Collector

/// What a put request says, read from its tree, one member after the other: the plain reading that the scanners are held
/// against.
struct PutModel: Equatable {
    struct Record: Equatable {
        /// JSON: the base64 text. CBOR: the bytes.
        var data: [UInt8]?
        var key: String?
        var hash: String?
    }

    /// A value of a wrong type.
    struct Mismatch: Error {}

    var records: [Record] = []
    var hasRecords = false
    var stream: String?
    var arn: String?
    var id: String?
    var ordering: String?
    var isDryRun = false

    init(_ tree: JSONValue, _ syntax: PutBody.Syntax) throws {
        guard let members = tree.members else { throw Mismatch() }
        if syntax == .kinesisRecord {
            records = [Record()]
            hasRecords = true
        }
        for member in members {
            switch (syntax, member.name) {
            case (.kinesisRecords, "Records"), (.firehoseBatch, "Records"):
                hasRecords = member.value != .null
                records = []
                if !hasRecords { continue }
                guard let elements = member.value.array else { throw Mismatch() }
                for element in elements { records.append(try Self.record(element, syntax) ?? Record()) }
            case (.firehoseRecord, "Record"):
                let record = try Self.record(member.value, syntax)
                hasRecords = record != nil
                records = record.map { [$0] } ?? []
            case (.kinesisRecord, "SequenceNumberForOrdering"): ordering = try Self.text(member.value)
            case (.kinesisRecord, "StreamName"), (.kinesisRecords, "StreamName"): stream = try Self.text(member.value)
            case (.kinesisRecord, "StreamARN"), (.kinesisRecords, "StreamARN"): arn = try Self.text(member.value)
            case (.kinesisRecord, "StreamId"), (.kinesisRecords, "StreamId"): id = try Self.text(member.value)
            case (.firehoseRecord, "DeliveryStreamName"), (.firehoseBatch, "DeliveryStreamName"):
                stream = try Self.text(member.value)
            case (.kinesisRecord, "DryRun"), (.kinesisRecords, "DryRun"):
                isDryRun = false
                if member.value == .null { continue }
                guard let truth = member.value.bool else { throw Mismatch() }
                isDryRun = truth
            case (.kinesisRecord, _): try Self.read(member, &records[0], syntax)
            default: break
            }
        }
    }

    private static func record(_ value: JSONValue, _ syntax: PutBody.Syntax) throws -> Record? {
        if value == .null { return nil }
        guard let members = value.members else { throw Mismatch() }
        var record = Record()
        for member in members { try read(member, &record, syntax) }
        return record
    }

    private static func read(_ member: JSONValue.Member, _ record: inout Record, _ syntax: PutBody.Syntax) throws {
        switch member.name {
        case "Data":
            switch member.value {
            case .null: record.data = nil
            case .string(let text) where !isBinary: record.data = Array(text.utf8)
            case .bytes(let bytes) where isBinary: record.data = bytes
            default: throw Mismatch()
            }
        case "PartitionKey" where syntax.isKinesis: record.key = try text(member.value)
        case "ExplicitHashKey" where syntax.isKinesis: record.hash = try text(member.value)
        default: break
        }
    }

    /// Whether blobs are byte strings, as in CBOR; set before a tree is read.
    nonisolated(unsafe) static var isBinary = false

    private static func text(_ value: JSONValue) throws -> String? {
        if value == .null { return nil }
        guard let text = value.string else { throw Mismatch() }
        return text
    }

    /// What a scan says.
    init(_ put: PutBody, _ body: UnsafeBufferPointer<UInt8>) {
        put.copies.withUnsafeBufferPointer { copies in
            let bytes = PutBytes(body: body, copies: copies)
            records = put.entries.map { entry in
                Record(
                    data: entry.data.isPresent ? Array(bytes[entry.data]) : nil,
                    key: entry.partitionKey.isPresent ? bytes.string(entry.partitionKey) : nil,
                    hash: entry.explicitHashKey.isPresent ? bytes.string(entry.explicitHashKey) : nil
                )
            }
        }
        hasRecords = put.hasRecords
        stream = put.streamName
        arn = put.streamARN
        id = put.streamID
        ordering = put.sequenceNumberForOrdering
        isDryRun = put.isDryRun
    }
}
