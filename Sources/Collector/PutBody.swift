import AWSProtocol
import CChecksums
import Glibc

/// Where one record's members stand in a request's bytes.
struct PutEntry {
    /// A string's text between its quotes; `start` is −1 where the member is absent.
    struct Text {
        var start: Int32 = -1
        var count: Int32 = 0
        /// Holds a backslash: only a copy without escapes can be used.
        var isEscaped = false

        var isPresent: Bool { start >= 0 }
        var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
    }

    var data = Text()
    var partitionKey = Text()
    var explicitHashKey = Text()
}

/// A put request scanned in one pass over its bytes, without a tree and without an object per record.
///
/// The same scanner reads Kinesis' PutRecord and PutRecords and Firehose's PutRecord and PutRecordBatch: they differ in
/// where the records stand.
struct PutBody {
    /// The four shapes.
    enum Syntax {
        case kinesisRecord, kinesisRecords, firehoseRecord, firehoseBatch
    }

    private(set) var entries: [PutEntry] = []
    /// `StreamName` or `DeliveryStreamName`.
    private(set) var streamName: String?
    private(set) var streamARN: String?
    private(set) var sequenceNumberForOrdering: String?
    /// Whether `Records`, or `Record`, was there at all.
    private(set) var hasRecords = false

    /// Scans a body. Throws `SerializationException`.
    init(_ bytes: UnsafeBufferPointer<UInt8>, syntax: Syntax) throws(AWSError) {
        var scanner = PutScanner(bytes: bytes)
        if syntax == .kinesisRecord { entries.append(PutEntry()) }
        try scanner.open(UInt8(ascii: "{"))
        while try scanner.nextMember(closing: UInt8(ascii: "}")) {
            let name = try scanner.name()
            switch syntax {
            case .kinesisRecord:
                if try Self.member(name, of: &entries[0], in: &scanner) { continue }
            case .kinesisRecords, .firehoseBatch:
                if scanner.equals(name, "Records") {
                    try records(&scanner)
                    continue
                }
            case .firehoseRecord:
                if scanner.equals(name, "Record") {
                    hasRecords = true
                    entries = [try Self.entry(&scanner)]
                    continue
                }
            }
            if scanner.equals(name, "StreamName") || scanner.equals(name, "DeliveryStreamName") {
                streamName = try scanner.optionalString()
            } else if scanner.equals(name, "StreamARN") {
                streamARN = try scanner.optionalString()
            } else if scanner.equals(name, "SequenceNumberForOrdering") {
                sequenceNumberForOrdering = try scanner.optionalString()
            } else {
                try scanner.skipValue()
            }
        }
        try scanner.end()
        if syntax == .kinesisRecord { hasRecords = true }
    }

    private mutating func records(_ scanner: inout PutScanner) throws(AWSError) {
        if try scanner.skipNull() { return }
        hasRecords = true
        entries.reserveCapacity(512)
        guard scanner.peek() == UInt8(ascii: "[") else { throw .serialization("Expected list or null") }
        try scanner.open(UInt8(ascii: "["))
        while try scanner.nextElement(closing: UInt8(ascii: "]")) {
            entries.append(try Self.entry(&scanner))
        }
    }

    private static func entry(_ scanner: inout PutScanner) throws(AWSError) -> PutEntry {
        guard scanner.peek() == UInt8(ascii: "{") else { throw .serialization("Expected null") }
        var entry = PutEntry()
        try scanner.open(UInt8(ascii: "{"))
        while try scanner.nextMember(closing: UInt8(ascii: "}")) {
            let name = try scanner.name()
            if try !member(name, of: &entry, in: &scanner) { try scanner.skipValue() }
        }
        return entry
    }

    private static func member(
        _ name: PutEntry.Text,
        of entry: inout PutEntry,
        in scanner: inout PutScanner
    ) throws(AWSError) -> Bool {
        if scanner.equals(name, "Data") {
            entry.data = try scanner.optionalText("a Blob")
        } else if scanner.equals(name, "PartitionKey") {
            entry.partitionKey = try scanner.optionalText("an String")
        } else if scanner.equals(name, "ExplicitHashKey") {
            entry.explicitHashKey = try scanner.optionalText("an String")
        } else {
            return false
        }
        return true
    }
}

/// Moves over JSON bytes. Strings are found by `memchr`, so a long blob costs one pass at memory speed.
private struct PutScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0
    private var isFirst = true

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private func malformed(_ reason: String) -> AWSError {
        .serialization("The request body is not valid JSON: \(reason) at byte \(at)")
    }

    mutating func skipBlanks() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 {
            at += 1
        }
    }

    mutating func peek() -> UInt8? {
        skipBlanks()
        return at < bytes.count ? bytes[at] : nil
    }

    mutating func open(_ byte: UInt8) throws(AWSError) {
        guard peek() == byte else { throw malformed("'\(Character(Unicode.Scalar(byte)))' is expected") }
        at += 1
        isFirst = true
    }

    /// Steps over the comma; false behind the closing byte.
    mutating func nextElement(closing: UInt8) throws(AWSError) -> Bool {
        guard let byte = peek() else { throw malformed("the text is cut short") }
        if byte == closing {
            at += 1
            isFirst = false
            return false
        }
        if !isFirst {
            guard byte == UInt8(ascii: ",") else { throw malformed("',' is expected") }
            at += 1
        }
        isFirst = false
        return true
    }

    mutating func nextMember(closing: UInt8) throws(AWSError) -> Bool { try nextElement(closing: closing) }

    mutating func name() throws(AWSError) -> PutEntry.Text {
        guard peek() == UInt8(ascii: "\"") else { throw malformed("a member's name in quotes is expected") }
        let text = try text()
        guard peek() == UInt8(ascii: ":") else { throw malformed("':' is expected") }
        at += 1
        return text
    }

    func equals(_ text: PutEntry.Text, _ name: StaticString) -> Bool {
        Int(text.count) == name.utf8CodeUnitCount
            && memcmp(bytes.baseAddress! + Int(text.start), name.utf8Start, Int(text.count)) == 0
    }

    /// A string's text, from its opening quote.
    mutating func text() throws(AWSError) -> PutEntry.Text {
        at += 1
        let start = at
        while at < bytes.count,
            let found = memchr(bytes.baseAddress! + at, Int32(UInt8(ascii: "\"")), bytes.count - at)
        {
            let quote = UnsafeRawPointer(found) - UnsafeRawPointer(bytes.baseAddress!)
            var backslashes = 0
            while quote - backslashes > start, bytes[quote - backslashes - 1] == UInt8(ascii: "\\") { backslashes += 1 }
            at = quote + 1
            if backslashes % 2 == 1 { continue }
            let escaped = memchr(bytes.baseAddress! + start, Int32(UInt8(ascii: "\\")), quote - start) != nil
            return PutEntry.Text(start: Int32(start), count: Int32(quote - start), isEscaped: escaped)
        }
        throw malformed("a string has no end")
    }

    mutating func skipNull() throws(AWSError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try skipValue()
        return true
    }

    mutating func optionalText(_ type: String) throws(AWSError) -> PutEntry.Text {
        switch peek() {
        case UInt8(ascii: "\""): return try text()
        case UInt8(ascii: "n"):
            try skipValue()
            return PutEntry.Text()
        case UInt8(ascii: "t"), UInt8(ascii: "f"):
            throw .serialization("class java.lang.Boolean can not be converted to \(type)")
        case UInt8(ascii: "["): throw .serialization("Start of list found where not expected")
        case UInt8(ascii: "{"): throw .serialization("Start of structure or map found where not expected.")
        default:
            throw .serialization(
                "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to \(type)"
            )
        }
    }

    mutating func optionalString() throws(AWSError) -> String? {
        let text = try optionalText("an String")
        return text.isPresent ? try bytes.string(text) : nil
    }

    /// Steps over any value.
    mutating func skipValue() throws(AWSError) {
        var depth = 0
        repeat {
            guard let byte = peek() else { throw malformed("the text is cut short") }
            switch byte {
            case UInt8(ascii: "\""): _ = try text()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                at += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { throw malformed("a value is expected") }
                depth -= 1
                at += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { throw malformed("a value is expected") }
                at += 1
            default:
                let start = at
                while at < bytes.count, isLiteral(bytes[at]) { at += 1 }
                guard at > start else { throw malformed("a value is expected") }
            }
        } while depth > 0
        isFirst = false
    }

    private func isLiteral(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
    }

    mutating func end() throws(AWSError) {
        guard peek() == nil else { throw malformed("unexpected text behind the document") }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The text as a string, its escapes resolved.
    func string(_ text: PutEntry.Text) throws(AWSError) -> String {
        let slice = self[text.range]
        guard text.isEscaped else {
            guard let string = String(validating: slice, as: UTF8.self) else {
                throw .serialization("The request body is not valid JSON: text is not UTF-8")
            }
            return string
        }
        do {
            return try JSONString.unescape(Array(slice) + [UInt8(ascii: "\"")], from: 0).0
        } catch {
            throw .serialization("The request body is not valid JSON: \(error)")
        }
    }
}
