import Synchronization

/// Names one request to its sender and in the log: a random UUID, version 4. It tells requests apart and guards nothing, so
/// the system is asked for randomness once, and not a dozen times for each request.
struct RequestID: CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64

    static func next() -> RequestID {
        RequestID(
            high: random() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000,
            low: random() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    var description: String {
        String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for half in [high, low] {
                for shift in stride(from: 60, through: 0, by: -4) {
                    if place == 8 || place == 13 || place == 18 || place == 23 {
                        text[place] = UInt8(ascii: "-")
                        place += 1
                    }
                    let digit = UInt8(half >> UInt64(shift) & 15)
                    text[place] = digit < 10 ? 0x30 + digit : 0x57 + digit
                    place += 1
                }
            }
            return place
        }
    }

    /// `x-amz-id-2`: base64 of 72 random bytes, which are 96 random digits.
    static func extended() -> String {
        String(unsafeUninitializedCapacity: 96) { text in
            var bits: UInt64 = 0
            for place in 0..<96 {
                if place % 10 == 0 { bits = random() }
                text[place] = digit(UInt8(bits & 63))
                bits >>= 6
            }
            return 96
        }
    }

    /// SplitMix64, from where this process began.
    private static func random() -> UInt64 {
        var number = state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        number = (number ^ number >> 30) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ number >> 27) &* 0x94D0_49BB_1331_11EB
        return number ^ number >> 31
    }

    private static let state = Atomic(UInt64.random(in: .min ... .max))

    private static func digit(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: 0x41 + value
        case 26..<52: 0x61 + value - 26
        case 52..<62: 0x30 + value - 52
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }
}
