import CChecksums

/// Strings of JSON texts (RFC 8259 section 7): their escapes, and what may stand in them.
public enum JSONString {
    /// Reads from behind an opening quote; returns the text and the index behind the closing quote. Lone surrogates become
    /// U+FFFD, as Java's readers have it.
    public static func unescape(_ bytes: [UInt8], from start: Int) throws(JSONSyntaxError) -> (String, end: Int) {
        var text: [UInt8] = []
        let end = try bytes.withUnsafeBufferPointer { bytes throws(JSONSyntaxError) in
            try append(bytes, from: start, to: &text)
        }
        guard let result = String(validating: text, as: UTF8.self) else {
            throw JSONSyntaxError(reason: "text is not UTF-8", offset: start)
        }
        return (result, end)
    }

    /// How many bytes from `start` mean themselves: ASCII without quotes, backslashes and control characters.
    @inline(__always)
    public static func plainCount(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        millrace_json_plain(bytes.baseAddress! + start, bytes.count - start)
    }

    /// Appends the rest of a string that `start` stands in, its escapes resolved, and returns the index behind the closing
    /// quote. Whether the text is UTF-8 is not looked at: what escapes stand for never completes a broken character.
    public static func append(
        _ bytes: UnsafeBufferPointer<UInt8>,
        from start: Int,
        to text: inout [UInt8]
    ) throws(JSONSyntaxError) -> Int {
        var at = start
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""): return at + 1
            case UInt8(ascii: "\\"): at = try appendEscape(bytes, at: at, to: &text)
            case 0..<0x20:
                throw JSONSyntaxError(reason: "a control character stands unescaped in a string", offset: at)
            case 0x80...:
                text.append(bytes[at])
                at += 1
            default:
                let count = plainCount(bytes, from: at)
                text.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[at..<at + count]))
                at += count
            }
        }
        throw JSONSyntaxError(reason: "a string without an end", offset: at)
    }

    /// One escape, or two that make a pair; returns the index behind them.
    private static func appendEscape(
        _ bytes: UnsafeBufferPointer<UInt8>,
        at: Int,
        to text: inout [UInt8]
    ) throws(JSONSyntaxError) -> Int {
        guard at + 1 < bytes.count else { throw JSONSyntaxError(reason: "an escape is cut short", offset: at) }
        switch bytes[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(bytes[at + 1])
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let unit = try unit(bytes, at: at)
            if (0xD800..<0xDC00).contains(unit), at + 7 < bytes.count, bytes[at + 6] == UInt8(ascii: "\\"),
                bytes[at + 7] == UInt8(ascii: "u")
            {
                let low = try self.unit(bytes, at: at + 6)
                if (0xDC00..<0xE000).contains(low) {
                    append(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00), to: &text)
                    return at + 12
                }
            }
            append(unit, to: &text)
            return at + 6
        default: throw JSONSyntaxError(reason: "unknown escape", offset: at)
        }
        return at + 2
    }

    /// The four hexadecimal digits behind `\u`.
    private static func unit(_ bytes: UnsafeBufferPointer<UInt8>, at: Int) throws(JSONSyntaxError) -> UInt32 {
        guard at + 6 <= bytes.count else { throw JSONSyntaxError(reason: "an escape is cut short", offset: at) }
        var value: UInt32 = 0
        for byte in bytes[at + 2..<at + 6] {
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw JSONSyntaxError(reason: "bad \\u escape", offset: at)
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private static func append(_ code: UInt32, to text: inout [UInt8]) {
        let scalar = Unicode.Scalar(code) ?? "\u{FFFD}"
        text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}
