import AWSProtocol

/// A put request scanned in one pass over its bytes, without a tree and without an object per record.
///
/// The same reading serves Kinesis' PutRecord and PutRecords and Firehose's PutRecord and PutRecordBatch, in JSON and in
/// CBOR: they differ in where the records stand. Of a member that is there twice the last one counts.
struct PutBody {
    /// The four shapes.
    enum Syntax {
        case kinesisRecord, kinesisRecords, firehoseRecord, firehoseBatch

        var isBatch: Bool { self == .kinesisRecords || self == .firehoseBatch }
        var isKinesis: Bool { self == .kinesisRecord || self == .kinesisRecords }
    }

    /// Entries that are kept at most: more records than any request may have are only counted.
    static let entryLimit = 65_535

    let syntax: Syntax
    let format: WireFormat
    private(set) var entries: [PutEntry] = []
    /// How many records there were.
    private(set) var count = 0
    /// Whether `Records`, or `Record`, was there at all.
    private(set) var hasRecords = false
    /// `StreamName`, or `DeliveryStreamName` in Firehose.
    private(set) var streamName: String?
    private(set) var streamARN: String?
    private(set) var streamID: String?
    private(set) var sequenceNumberForOrdering: String?
    private(set) var isDryRun = false
    /// Strings that the body has with escapes or in chunks.
    private(set) var copies: [UInt8] = []

    /// Scans a body. Throws `SerializationException`.
    init(_ bytes: UnsafeBufferPointer<UInt8>, syntax: Syntax, format: WireFormat) throws(AWSError) {
        self.syntax = syntax
        self.format = format
        switch format {
        case .json: try scan(JSONPutScanner(bytes), bytes)
        case .cbor: try scan(CBORPutScanner(bytes), bytes)
        }
    }

    private mutating func scan(
        _ scanner: consuming some PutScanner,
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(AWSError) {
        var names = Names()
        guard var scope = try scanner.structure() else { throw PutMismatch.scalarForStructure }
        if syntax == .kinesisRecord { begin([PutEntry()]) }
        while let member = try scanner.member(&scope) {
            switch (syntax, member) {
            case (.kinesisRecords, .records), (.firehoseBatch, .records): try records(&scanner)
            case (.firehoseRecord, .record): try record(&scanner)
            case (.kinesisRecord, .sequenceNumberForOrdering): names.ordering = try scanner.string()
            case (.kinesisRecord, .streamName), (.kinesisRecords, .streamName),
                (.firehoseRecord, .deliveryStreamName), (.firehoseBatch, .deliveryStreamName):
                names.stream = try scanner.string()
            case (.kinesisRecord, .streamARN), (.kinesisRecords, .streamARN): names.arn = try scanner.string()
            case (.kinesisRecord, .streamID), (.kinesisRecords, .streamID): names.id = try scanner.string()
            case (.kinesisRecord, .dryRun), (.kinesisRecords, .dryRun): isDryRun = try scanner.truth() ?? false
            case (.kinesisRecord, _): try Self.read(member, of: &entries[0], isKinesis: true, &scanner)
            default: try scanner.skip()
            }
        }
        try scanner.end()
        copies = scanner.copies
        copies.withUnsafeBufferPointer { copies in
            let bytes = PutBytes(body: bytes, copies: copies)
            func string(_ text: PutText) -> String? { text.isPresent ? bytes.string(text) : nil }
            streamName = string(names.stream)
            streamARN = string(names.arn)
            streamID = string(names.id)
            sequenceNumberForOrdering = string(names.ordering)
        }
    }

    /// The request's own strings.
    private struct Names {
        var stream = PutText()
        var arn = PutText()
        var id = PutText()
        var ordering = PutText()
    }

    private mutating func begin(_ entries: [PutEntry]) {
        self.entries = entries
        count = entries.count
        hasRecords = true
    }

    private mutating func record(_ scanner: inout some PutScanner) throws(AWSError) {
        begin([])
        guard let entry = try entry(&scanner) else {
            hasRecords = false
            return
        }
        begin([entry])
    }

    private mutating func records(_ scanner: inout some PutScanner) throws(AWSError) {
        begin([])
        guard var scope = try scanner.list() else {
            hasRecords = false
            return
        }
        entries.reserveCapacity(512)
        while try scanner.element(&scope) {
            // A null has no members: the constraints say which are missing.
            let entry = try entry(&scanner) ?? PutEntry()
            count += 1
            if entries.count < Self.entryLimit { entries.append(entry) }
        }
    }

    private func entry(_ scanner: inout some PutScanner) throws(AWSError) -> PutEntry? {
        guard var scope = try scanner.structure() else { return nil }
        var entry = PutEntry()
        while let member = try scanner.member(&scope) {
            try Self.read(member, of: &entry, isKinesis: syntax.isKinesis, &scanner)
        }
        return entry
    }

    private static func read(
        _ member: PutMember,
        of entry: inout PutEntry,
        isKinesis: Bool,
        _ scanner: inout some PutScanner
    ) throws(AWSError) {
        switch member {
        case .data: entry.data = try scanner.blob()
        case .partitionKey where isKinesis: entry.partitionKey = try scanner.string()
        case .explicitHashKey where isKinesis: entry.explicitHashKey = try scanner.string()
        default: try scanner.skip()
        }
    }
}
