import CChecksums
import RecordBatch

/// A key's 32 bytes as they stand in a file: raw, as 64 hexadecimal digits, or as base64, blanks around the text aside.
enum KeyText {
    /// Nil when it is none of these.
    static func root(file content: [UInt8]) -> RootKey? {
        content.count == RootKey.size ? RootKey(content) : root(text: content)
    }

    /// Nil when it is neither of the two texts.
    static func root(text content: [UInt8]) -> RootKey? {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let text = Array(content.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
        return hex(text) ?? base64(text)
    }

    private static func hex(_ text: [UInt8]) -> RootKey? {
        guard text.count == 2 * RootKey.size else { return nil }
        let digits = text.compactMap { Character(UnicodeScalar($0)).hexDigitValue.map { UInt8($0) } }
        guard digits.count == text.count else { return nil }
        return RootKey(stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }

    private static func base64(_ text: [UInt8]) -> RootKey? {
        guard text.count == (RootKey.size + 2) / 3 * 4 else { return nil }
        var bytes = [UInt8](repeating: 0, count: text.count)
        let count = millrace_base64_decode(text, text.count, &bytes)
        return count < 0 ? nil : RootKey(Array(bytes.prefix(count)))
    }
}
