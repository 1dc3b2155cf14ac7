/// Where one string of a request stands; `start` is −1 where the member is absent.
struct PutText {
    var start: Int32 = -1
    var count: Int32 = 0
    /// It stands in the scan's copies, because the request has it with escapes or in chunks; else in the body.
    var isCopied = false

    var isPresent: Bool { start >= 0 }

    init() {}

    init(start: Int, count: Int, isCopied: Bool = false) {
        self.start = Int32(start)
        self.count = Int32(count)
        self.isCopied = isCopied
    }
}

/// Where one record's members stand in a request's bytes.
struct PutEntry {
    /// JSON: the base64 text. CBOR: the bytes themselves.
    var data = PutText()
    var partitionKey = PutText()
    var explicitHashKey = PutText()
}

/// What the strings of a scanned request are made of: a body and, for the few that can't be used as they stand, copies.
struct PutBytes {
    let body: UnsafeBufferPointer<UInt8>
    let copies: UnsafeBufferPointer<UInt8>

    /// A string's bytes; none for an absent one.
    @inline(__always)
    subscript(text: PutText) -> UnsafeBufferPointer<UInt8> {
        guard text.isPresent else { return UnsafeBufferPointer(rebasing: body[0..<0]) }
        let start = Int(text.start)
        let source = text.isCopied ? copies : body
        return UnsafeBufferPointer(rebasing: source[start..<start + Int(text.count)])
    }

    /// A string whose bytes the scan found to be UTF-8.
    func string(_ text: PutText) -> String { String(decoding: self[text], as: UTF8.self) }
}

/// The members that puts have, of Kinesis and of Firehose.
enum PutMember {
    case data, partitionKey, explicitHashKey, sequenceNumberForOrdering
    case streamName, streamARN, streamID, deliveryStreamName
    case records, record, dryRun
    case unknown

    /// Names the member. Most names differ in length, so this is one comparison.
    init(_ name: UnsafeBufferPointer<UInt8>) {
        func equals(_ text: StaticString, _ member: PutMember) -> PutMember {
            memoryEqual(name.baseAddress!, text.utf8Start, name.count) ? member : .unknown
        }
        switch name.count {
        case 4: self = equals("Data", .data)
        case 6: self = equals("DryRun", .dryRun).or(equals("Record", .record))
        case 7: self = equals("Records", .records)
        case 8: self = equals("StreamId", .streamID)
        case 9: self = equals("StreamARN", .streamARN)
        case 10: self = equals("StreamName", .streamName)
        case 12: self = equals("PartitionKey", .partitionKey)
        case 15: self = equals("ExplicitHashKey", .explicitHashKey)
        case 18: self = equals("DeliveryStreamName", .deliveryStreamName)
        case 25: self = equals("SequenceNumberForOrdering", .sequenceNumberForOrdering)
        default: self = .unknown
        }
    }

    private func or(_ other: PutMember) -> PutMember { self == .unknown ? other : self }
}
