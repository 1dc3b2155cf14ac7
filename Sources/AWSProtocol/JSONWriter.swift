/// Writes JSON straight into bytes. The caller sees to commas through `member` and `element`.
public struct JSONWriter: Sendable {
    /// What was written.
    public private(set) var bytes: [UInt8]
    private var needsComma = false

    /// Starts with nothing written.
    public init(reserving capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Writes behind what stands in `bytes` already, which is moved and not copied.
    public init(behind bytes: consuming [UInt8]) { self.bytes = bytes }

    /// Hands out what was written, and keeps nothing.
    public mutating func release() -> [UInt8] {
        var released: [UInt8] = []
        swap(&released, &bytes)
        return released
    }

    /// `{`
    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    /// `}`
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    /// `[`
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    /// `]`
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// A member's name; its value follows.
    public mutating func name(_ name: StaticString) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A member's name that is not known beforehand.
    public mutating func name(escaping name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A string value.
    public mutating func string(_ text: String) {
        comma()
        var text = text
        text.withUTF8 { Self.appendQuoted($0, to: &bytes) }
    }

    /// A string value from UTF-8 bytes.
    public mutating func string(utf8 text: UnsafeBufferPointer<UInt8>) {
        comma()
        Self.appendQuoted(text, to: &bytes)
    }

    /// A whole number.
    public mutating func integer(_ value: some BinaryInteger) { raw(String(value)) }

    /// `true` or `false`
    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    /// `null`
    public mutating func null() { raw("null") }

    /// A timestamp as AWS writes it: seconds since 1970 with three decimals.
    public mutating func timestamp(milliseconds: Int64) {
        let fraction = String(milliseconds % 1000)
        raw("\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction)
    }

    /// Text that is JSON already.
    public mutating func raw(_ json: String) {
        comma()
        bytes.append(contentsOf: json.utf8)
    }

    /// Lets `body` append one JSON value's bytes itself.
    public mutating func raw<Failure: Error>(_ body: (inout [UInt8]) throws(Failure) -> Void) throws(Failure) {
        comma()
        try body(&bytes)
    }

    /// Any tree.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let truth): bool(truth)
        case .number(let text): raw(text)
        case .string(let text): string(text)
        case .bytes(let blob): string(Base64.encode(blob))
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let members):
            beginObject()
            for member in members {
                name(escaping: member.name)
                self.value(member.value)
            }
            endObject()
        }
    }

    /// An object, its members written by `body`.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        beginObject()
        body(&self)
        endObject()
    }

    /// A list, its elements written by `body`.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        beginArray()
        body(&self)
        endArray()
    }

    private mutating func open(_ byte: UInt8) {
        comma()
        bytes.append(byte)
        needsComma = false
    }

    private mutating func close(_ byte: UInt8) {
        bytes.append(byte)
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// Appends a string with its quotes; runs without escapes are copied whole.
    public static func appendQuoted(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var clean = 0
        for (index, byte) in text.enumerated()
        where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            bytes.append(contentsOf: text[clean..<index])
            clean = index + 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes += Array("\\n".utf8)
            case 0x0D: bytes += Array("\\r".utf8)
            case 0x09: bytes += Array("\\t".utf8)
            default:
                let digits = Array("0123456789abcdef".utf8)
                bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        bytes.append(contentsOf: text[clean...])
        bytes.append(UInt8(ascii: "\""))
    }
}

/// Writes one document.
public func jsonBytes(reserving capacity: Int = 256, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter(reserving: capacity)
    writer.object(body)
    return writer.bytes
}
