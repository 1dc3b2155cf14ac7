/// Where a partition key falls: an unsigned 128-bit number, the MD5 of the key's UTF-8 bytes read big-endian.
/// Source: PutRecord in the Kinesis Data Streams API reference.
public struct HashKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The number.
    public var value: UInt128

    /// Wraps a number.
    public init(_ value: UInt128) { self.value = value }

    /// Parses decimal digits without sign or leading zeros; nil for anything else and for 2^128 and above.
    public init?(decimal text: some StringProtocol) { self.init(digits: text.utf8) }

    /// The same of a text's UTF-8 bytes.
    public init?(digits: some Collection<UInt8>) {
        guard let first = digits.first, first != 0x30 || digits.count == 1 else { return nil }
        var value: UInt128 = 0
        for digit in digits {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(UInt128(digit - 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        self.value = value
    }

    /// Reads a digest.
    public init(bigEndian digest: (UInt64, UInt64)) {
        value = UInt128(UInt64(bigEndian: digest.0)) << 64 | UInt128(UInt64(bigEndian: digest.1))
    }

    /// 2^128 − 1
    public static let max = HashKey(.max)

    public var description: String { String(value) }

    public static func < (lhs: HashKey, rhs: HashKey) -> Bool { lhs.value < rhs.value }
}

/// The hash keys a shard takes: both ends belong to it.
public struct HashRange: Hashable, Sendable {
    /// The lowest key.
    public var start: HashKey
    /// The highest key.
    public var end: HashKey

    /// Both ends inclusive; `start` is not above `end`.
    public init(start: HashKey, end: HashKey) {
        precondition(start <= end)
        self.start = start
        self.end = end
    }

    /// Every key there is.
    public static let all = HashRange(start: HashKey(0), end: .max)

    /// Whether the key belongs to the range.
    public func contains(_ key: HashKey) -> Bool { start <= key && key <= end }

    /// Cuts the key space as CreateStream does: `count` ranges of equal width, the last one taking the remainder.
    public static func uniform(_ count: Int) -> [HashRange] {
        precondition(count > 0)
        guard count > 1 else { return [.all] }
        // 2^128 does not fit: (2^128 − 1) / n differs from it only where n divides 2^128.
        let divisor = UInt128(count)
        let width = UInt128.max / divisor + (UInt128.max % divisor == divisor - 1 ? 1 : 0)
        return (0..<count).map { index in
            let start = UInt128(index) * width
            return HashRange(
                start: HashKey(start),
                end: index == count - 1 ? .max : HashKey(start + width - 1)
            )
        }
    }
}
