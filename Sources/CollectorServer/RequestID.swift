/// Names one request to its sender and in the log: a random UUID, version 4.
struct RequestID: CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64

    static func next() -> RequestID {
        RequestID(
            high: UInt64.random(in: .min ... .max) & 0xFFFF_FFFF_FFFF_0FFF | 0x4000,
            low: UInt64.random(in: .min ... .max) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    var description: String {
        let digits = Self.hex(high) + Self.hex(low)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            text.append(digit)
        }
        return text
    }

    /// `x-amz-id-2`: base64 of 72 bytes on AWS; here the id's digits over and over.
    var extended: String {
        let digits = Self.hex(high) + Self.hex(low)
        return digits + digits + digits
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
