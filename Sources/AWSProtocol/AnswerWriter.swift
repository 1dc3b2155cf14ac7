/// Writes an answer in the format that its request came in. Maps and lists have indefinite length in CBOR, so nothing is
/// counted beforehand.
public struct AnswerWriter: Sendable {
    /// The request's.
    public let format: WireFormat
    private var json: JSONWriter
    private var cbor: [UInt8] = []

    /// Starts with nothing written.
    public init(_ format: WireFormat, reserving capacity: Int = 256) {
        self.format = format
        json = JSONWriter(reserving: format == .json ? capacity : 0)
        if format == .cbor { cbor.reserveCapacity(capacity) }
    }

    /// Writes behind what stands in `bytes` already, which is moved and not copied.
    public init(_ format: WireFormat, behind bytes: consuming [UInt8]) {
        self.format = format
        switch format {
        case .json: json = JSONWriter(behind: bytes)
        case .cbor:
            json = JSONWriter(reserving: 0)
            cbor = bytes
        }
    }

    /// Hands out what was written, and keeps nothing.
    public mutating func release() -> [UInt8] {
        if format == .json { return json.release() }
        var released: [UInt8] = []
        swap(&released, &cbor)
        return released
    }

    /// What was written.
    public var bytes: [UInt8] { format == .json ? json.bytes : cbor }

    /// A member's name; its value follows.
    public mutating func name(_ name: StaticString) {
        switch format {
        case .json: json.name(name)
        case .cbor: CBOR.appendName(name, to: &cbor)
        }
    }

    /// A member's name that is not known beforehand.
    public mutating func name(escaping name: String) {
        switch format {
        case .json: json.name(escaping: name)
        case .cbor: CBOR.appendText(name, to: &cbor)
        }
    }

    /// A string value.
    public mutating func string(_ text: String) {
        switch format {
        case .json: json.string(text)
        case .cbor: CBOR.appendText(text, to: &cbor)
        }
    }

    /// A whole number.
    public mutating func integer(_ value: some BinaryInteger) {
        switch format {
        case .json: json.integer(value)
        case .cbor: CBOR.append(Int64(value), to: &cbor)
        }
    }

    /// `true` or `false`
    public mutating func bool(_ value: Bool) {
        switch format {
        case .json: json.bool(value)
        case .cbor: cbor.append(value ? 0xF5 : 0xF4)
        }
    }

    /// A time in milliseconds since 1970.
    public mutating func timestamp(milliseconds: Int64) {
        switch format {
        case .json: json.timestamp(milliseconds: milliseconds)
        case .cbor: CBOR.append(timestamp: milliseconds, to: &cbor)
        }
    }

    /// Lets `body` append one value's bytes itself, in this writer's format.
    public mutating func raw<Failure: Error>(_ body: (inout [UInt8]) throws(Failure) -> Void) throws(Failure) {
        switch format {
        case .json: try json.raw(body)
        case .cbor: try body(&cbor)
        }
    }

    /// Any tree.
    public mutating func value(_ value: JSONValue) {
        switch format {
        case .json: json.value(value)
        case .cbor: CBOR.append(value, to: &cbor)
        }
    }

    /// A structure or map, its members written by `body`.
    public mutating func object<Failure: Error>(_ body: (inout AnswerWriter) throws(Failure) -> Void) throws(Failure) {
        if format == .json { json.beginObject() } else { cbor.append(CBOR.mapStart) }
        try body(&self)
        if format == .json { json.endObject() } else { cbor.append(CBOR.end) }
    }

    /// A list, its elements written by `body`.
    public mutating func array(_ body: (inout AnswerWriter) -> Void) {
        if format == .json { json.beginArray() } else { cbor.append(CBOR.arrayStart) }
        body(&self)
        if format == .json { json.endArray() } else { cbor.append(CBOR.end) }
    }
}

/// Writes one answer.
public func answerBytes(
    _ format: WireFormat,
    reserving capacity: Int = 256,
    _ body: (inout AnswerWriter) -> Void
) -> [UInt8] {
    var writer = AnswerWriter(format, reserving: capacity)
    writer.object(body)
    return writer.bytes
}

/// The pieces of CBOR (RFC 8949) that answers are made of.
public enum CBOR {
    /// A map of indefinite length.
    public static let mapStart: UInt8 = 0xBF
    /// A list of indefinite length.
    public static let arrayStart: UInt8 = 0x9F
    /// Ends either.
    public static let end: UInt8 = 0xFF

    /// A head: major type and argument in their shortest form.
    public static func appendHead(_ major: UInt8, _ argument: UInt64, to bytes: inout [UInt8]) {
        let type = major << 5
        switch argument {
        case 0..<24: bytes.append(type | UInt8(argument))
        case 24...0xFF: bytes += [type | 24, UInt8(argument)]
        case 0x100...0xFFFF: bytes += [type | 25, UInt8(argument >> 8), UInt8(argument & 0xFF)]
        case 0x1_0000...0xFFFF_FFFF:
            bytes.append(type | 26)
            withUnsafeBytes(of: UInt32(argument).bigEndian) { bytes.append(contentsOf: $0) }
        default:
            bytes.append(type | 27)
            withUnsafeBytes(of: argument.bigEndian) { bytes.append(contentsOf: $0) }
        }
    }

    /// A whole number.
    public static func append(_ value: Int64, to bytes: inout [UInt8]) {
        if value >= 0 {
            appendHead(0, UInt64(value), to: &bytes)
        } else {
            appendHead(1, UInt64(bitPattern: ~value), to: &bytes)
        }
    }

    /// A text string from UTF-8 bytes.
    public static func appendText(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        appendHead(3, UInt64(text.count), to: &bytes)
        bytes.append(contentsOf: text)
    }

    /// A member's name: a text string that is known beforehand.
    public static func appendName(_ text: StaticString, to bytes: inout [UInt8]) {
        appendText(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), to: &bytes)
    }

    /// A text string.
    public static func appendText(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { appendText($0, to: &bytes) }
    }

    /// A byte string.
    public static func append(blob: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        appendHead(2, UInt64(blob.count), to: &bytes)
        bytes.append(contentsOf: blob)
    }

    /// Milliseconds since 1970 under tag 1: AWS's SDKs want whole milliseconds there, not RFC 8949's seconds.
    public static func append(timestamp milliseconds: Int64, to bytes: inout [UInt8]) {
        bytes.append(0xC1)
        append(milliseconds, to: &bytes)
    }

    /// Any tree.
    public static func append(_ value: JSONValue, to bytes: inout [UInt8]) {
        switch value {
        case .null: bytes.append(0xF6)
        case .bool(let truth): bytes.append(truth ? 0xF5 : 0xF4)
        case .number(let text):
            if let integer = Int64(text) {
                append(integer, to: &bytes)
            } else {
                bytes.append(0xFB)
                withUnsafeBytes(of: (Double(text) ?? .nan).bitPattern.bigEndian) { bytes.append(contentsOf: $0) }
            }
        case .string(let text): appendText(text, to: &bytes)
        case .bytes(let blob): blob.withUnsafeBytes { append(blob: $0, to: &bytes) }
        case .array(let elements):
            appendHead(4, UInt64(elements.count), to: &bytes)
            for element in elements { append(element, to: &bytes) }
        case .object(let members):
            appendHead(5, UInt64(members.count), to: &bytes)
            for member in members {
                appendText(member.name, to: &bytes)
                append(member.value, to: &bytes)
            }
        }
    }
}
