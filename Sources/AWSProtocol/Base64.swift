import CChecksums

/// Standard base64 with padding (RFC 4648 section 4).
public enum Base64 {
    /// The text of some bytes.
    public static func encode(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: encodedCount(bytes.count)) { text in
            millrace_base64_encode(bytes, bytes.count, text.baseAddress)
        }
    }

    /// How long the text of so many bytes is.
    public static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// The bytes of a text; nil when it is malformed.
    public static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { text in
            var isValid = true
            let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { bytes, count in
                let decoded = millrace_base64_decode(text.baseAddress, text.count, bytes.baseAddress)
                isValid = decoded >= 0
                count = max(0, decoded)
            }
            return isValid ? bytes : nil
        }
    }

    /// What well-formed text of this length decodes to; nil where the length alone shows that it is malformed.
    public static func decodedCount(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard text.count % 4 == 0 else { return nil }
        guard text.count > 0 else { return 0 }
        let padding = (text[text.count - 1] == 0x3D ? 1 : 0) + (text[text.count - 2] == 0x3D ? 1 : 0)
        return text.count / 4 * 3 - padding
    }
}
