/// A record's number in its shard: 188 bits, written in decimal (56 digits that start with 49). Derived, never stored.
///
///     bits   184        148      144       80    72     36        4         0
///     | 2 | created s | nibble | counter | 00 | time s | shard | version 2 |
///       4       36        4        64      8     36       32         4
///
/// `created` is the shard's creation stamp, so a child's numbers sort above its parents'; `nibble` is the low nibble of
/// the shard's index; `counter` is the frame's position (48 bits) and the record's index in the frame (16 bits), so a
/// record is found without a look-up; `time` is the record's arrival.
public struct SequenceNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Seconds since 1970 at which the shard was stamped.
    public var created: UInt64
    /// Rises with every record of the shard.
    public var counter: UInt64
    /// Seconds since 1970 at which the record arrived.
    public var time: UInt64
    /// The shard's index.
    public var shard: UInt32

    /// Composes a number.
    public init(created: UInt64, counter: UInt64, time: UInt64, shard: UInt32) {
        self.created = created & 0xF_FFFF_FFFF
        self.counter = counter
        self.time = time & 0xF_FFFF_FFFF
        self.shard = shard
    }

    /// Of a record in a frame. A shard's first records may arrive in the seconds before its stamp, which stands above its
    /// parents' end: they are numbered as if in that second.
    public init(created: UInt64, position: UInt64, index: Int, time: UInt64, shard: UInt32) {
        let counter = position << 16 | UInt64(index & 0xFFFF)
        self.init(created: created, counter: counter, time: max(time, created), shard: shard)
    }

    /// The shard's StartingSequenceNumber: sorts below all its records.
    public static func start(created: UInt64, shard: UInt32) -> SequenceNumber {
        SequenceNumber(created: created, counter: 0, time: created, shard: shard)
    }

    /// The shard's EndingSequenceNumber: sorts above all its records.
    public static func end(created: UInt64, closed: UInt64, shard: UInt32) -> SequenceNumber {
        SequenceNumber(created: created, counter: endCounter, time: max(closed, created), shard: shard)
    }

    /// The counter of EndingSequenceNumbers; no record's reaches it.
    public static let endCounter: UInt64 = 0x7FFF_FFFF_FFFF_FFFF

    /// How many decimal digits a number has.
    public static let digits = 56

    /// The frame's position.
    public var position: UInt64 { counter >> 16 }
    /// The record's index in its frame.
    public var index: Int { Int(counter & 0xFFFF) }

    private var limbs: (high: UInt64, middle: UInt64, low: UInt64) {
        (
            2 << 56 | created << 20 | UInt64(shard & 15) << 16 | counter >> 48,
            counter << 16 | time >> 28,
            time << 36 | UInt64(shard) << 4 | 2
        )
    }

    /// Parses decimal digits; nil for anything that `description` can't have printed.
    public init?(decimal text: some StringProtocol) {
        guard text.utf8.count == Self.digits, let bits = SequenceBits(decimal: text.utf8) else { return nil }
        created = bits.field(at: 148, width: 36)
        counter = bits.field(at: 80, width: 64)
        time = bits.field(at: 36, width: 36)
        shard = UInt32(bits.field(at: 4, width: 32))
        guard limbs == (bits.high, bits.middle, bits.low) else { return nil }
    }

    /// Appends the decimal digits.
    public func appendDecimal(to bytes: inout [UInt8]) {
        // 188 bits hold less than 10^57: three groups of 19 digits.
        let base: UInt64 = 10_000_000_000_000_000_000
        var (high, middle, low) = limbs
        func divide() -> UInt64 {
            let first = high.quotientAndRemainder(dividingBy: base)
            let second = base.dividingFullWidth((first.remainder, middle))
            let third = base.dividingFullWidth((second.remainder, low))
            (high, middle, low) = (first.quotient, second.quotient, third.quotient)
            return third.remainder
        }
        let groups = (divide(), divide(), divide())
        Self.append(groups.2, digits: 18, to: &bytes)
        Self.append(groups.1, digits: 19, to: &bytes)
        Self.append(groups.0, digits: 19, to: &bytes)
    }

    private static func append(_ value: UInt64, digits: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0x30, count: digits))
        var rest = value
        var at = start + digits - 1
        while rest > 0, at >= start {
            bytes[at] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            at -= 1
        }
    }

    public var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.digits)
        appendDecimal(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    public static func < (lhs: SequenceNumber, rhs: SequenceNumber) -> Bool { lhs.limbs < rhs.limbs }
}
