/// A sequence number in any layout that Kinesis has given out, read for what it tells. Only those of version 2 are a record's
/// here; clients may still hold others, and AWS reads them all.
///
///     version 2 | 2 | created s, 9 | nibble | counter, 16        | 00 | time s, 9 | shard, 8 | 2 |    47 hex digits
///     version 1 | 2 | created s, 9 | nibble | 00 | time s, 9 | random, 14 | index, 2 | shard, 8 | 1 |
///     version 0 | 1 | created s, 9 | 00 | random, 16 | shard, 4 |                                     32 hex digits
///
/// The leading 1 of version 0 may be missing.
public struct AnySequenceNumber: Sendable, Equatable, CustomStringConvertible {
    /// 0, 1 or 2.
    public let version: Int
    /// When the shard was created, in seconds since 1970.
    public let created: UInt64
    /// When the record arrived, in seconds since 1970; version 0 does not tell.
    public let time: UInt64?
    /// The shard's index, as AWS reads it: with a sign.
    public let shard: Int32
    /// As AWS prints it: a missing leading 1 is there, leading zeros are not.
    public let description: String

    /// The shard that it says it is of, as AWS names it.
    public var shardName: String {
        if shard >= 0 { return ShardID(UInt32(shard)).description }
        // Twelve characters with the sign among them.
        let digits = String(-Int64(shard))
        return "shardId--" + String(repeating: "0", count: max(0, 11 - digits.utf8.count)) + digits
    }

    /// AWS takes no creation from here on in version 0.
    private static let latestCreation: UInt64 = 16_025_175_000

    /// Parses decimal digits; nil for what no layout fits.
    public init?(decimal text: some StringProtocol) {
        guard let bits = SequenceBits(decimal: text.utf8) else { return nil }
        if bits.high == 0 {
            version = 0
            created = bits.field(at: 88, width: 36)
            time = nil
            shard = Int32(bits.field(at: 0, width: 16))
            guard created < Self.latestCreation else { return nil }
            let number = UInt128(bits.middle) << 64 | UInt128(bits.low)
            description = String(number & (1 << 124 - 1) | 1 << 124)
            return
        }
        guard bits.field(at: 184, width: 8) == 2 else { return nil }
        created = bits.field(at: 148, width: 36)
        let index = bits.field(at: 4, width: 32)
        switch bits.field(at: 0, width: 4) {
        case 1:
            version = 1
            time = bits.field(at: 100, width: 36)
        case 2:
            version = 2
            time = bits.field(at: 36, width: 36)
            // It is signed, and never negative.
            guard bits.field(at: 80, width: 64) >> 63 == 0 else { return nil }
        default: return nil
        }
        shard = Int32(truncatingIfNeeded: index)
        description = String(text.drop { $0 == "0" })
    }
}

/// 192 bits, of which a sequence number has 188 at most.
struct SequenceBits {
    private(set) var high: UInt64 = 0
    private(set) var middle: UInt64 = 0
    private(set) var low: UInt64 = 0

    /// Parses decimal digits; nil for anything else, and for what does not fit.
    init?(decimal digits: some Collection<UInt8>) {
        guard !digits.isEmpty else { return nil }
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            let lower = low.multipliedFullWidth(by: 10)
            let (newLow, carryLow) = lower.low.addingReportingOverflow(UInt64(digit - 0x30))
            let middleProduct = middle.multipliedFullWidth(by: 10)
            let (newMiddle, carryMiddle) = middleProduct.low.addingReportingOverflow(lower.high + (carryLow ? 1 : 0))
            let (highProduct, overflow) = high.multipliedReportingOverflow(by: 10)
            let (newHigh, overflow2) = highProduct.addingReportingOverflow(middleProduct.high + (carryMiddle ? 1 : 0))
            guard !overflow, !overflow2 else { return nil }
            (high, middle, low) = (newHigh, newMiddle, newLow)
        }
    }

    /// Up to 64 bits from the one numbered `offset` on, counted from the lowest.
    func field(at offset: Int, width: Int) -> UInt64 {
        let shift = offset % 64
        let bits = limb(offset / 64) >> shift | (shift == 0 ? 0 : limb(offset / 64 + 1) << (64 - shift))
        return width == 64 ? bits : bits & (1 << width - 1)
    }

    private func limb(_ index: Int) -> UInt64 {
        switch index {
        case 0: low
        case 1: middle
        case 2: high
        default: 0
        }
    }
}
