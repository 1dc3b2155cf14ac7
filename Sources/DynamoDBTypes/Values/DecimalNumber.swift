import AWSProtocol

/// DynamoDB's number: an exact decimal of up to 38 significant digits, between 1E-130 and 9.99…E+125 in magnitude.
/// Equal numbers are equal values, however they were written: `5.81E-4` is `0.000581`.
public struct DecimalNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// True below zero; zero has no sign.
    public let isNegative: Bool
    /// All significant digits as a whole number, without trailing zeros; 0 for zero.
    public let coefficient: UInt128
    /// The power of ten that `coefficient` is multiplied by; 0 for zero.
    public let exponent: Int

    /// Zero.
    public static let zero = DecimalNumber(isNegative: false, coefficient: 0, exponent: 0)

    private static let digitLimit = 38
    private static let tenTo38 = (0..<38).reduce(UInt128(1)) { power, _ in power * 10 }

    private init(isNegative: Bool, coefficient: UInt128, exponent: Int) {
        self.isNegative = isNegative
        self.coefficient = coefficient
        self.exponent = exponent
    }

    /// A whole number.
    public init(_ integer: Int) {
        self.init(sign: integer < 0, trimming: UInt128(integer.magnitude), exponent: 0)
    }

    /// Drops trailing zeros.
    private init(sign: Bool, trimming coefficient: UInt128, exponent: Int) {
        var coefficient = coefficient
        var exponent = exponent
        while coefficient != 0, coefficient % 10 == 0 {
            coefficient /= 10
            exponent += 1
        }
        self.init(
            isNegative: sign && coefficient != 0,
            coefficient: coefficient,
            exponent: coefficient == 0 ? 0 : exponent
        )
    }

    /// Reads `-12`, `0.5`, `.5`, `1.`, `5.81E-4`. Throws AWS's `ValidationException` for anything else and for numbers
    /// out of range.
    public init(parsing text: String) throws(AWSError) {
        let bytes = Array(text.utf8)
        func notANumber() -> AWSError {
            .validation("The parameter cannot be converted to a numeric value: \(text)")
        }
        guard !bytes.isEmpty else { throw .validation("The parameter cannot be converted to a numeric value") }
        var at = 0
        let isNegative = bytes[at] == UInt8(ascii: "-")
        if isNegative || bytes[at] == UInt8(ascii: "+") { at += 1 }
        var digits: [UInt8] = []
        var exponent = 0
        var seen = 0
        var isFraction = false
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte >= 0x30, byte <= 0x39 {
                seen += 1
                if !(digits.isEmpty && byte == 0x30) { digits.append(byte - 0x30) }
                if isFraction { exponent -= 1 }
            } else {
                break
            }
            at += 1
        }
        guard seen > 0 else { throw notANumber() }
        if at < bytes.count {
            guard bytes[at] | 0x20 == UInt8(ascii: "e"),
                let power = Int(String(decoding: bytes[(at + 1)...], as: UTF8.self)),
                (-999_999...999_999).contains(power)
            else { throw notANumber() }
            exponent += power
        }
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        guard digits.count <= Self.digitLimit else { throw Self.tooManyDigits }
        let coefficient = digits.reduce(UInt128(0)) { $0 * 10 + UInt128($1) }
        self.init(
            isNegative: isNegative && coefficient != 0,
            coefficient: coefficient,
            exponent: coefficient == 0 ? 0 : exponent
        )
        try checkRange()
    }

    private static var tooManyDigits: AWSError {
        .validation("Attempting to store more than 38 significant digits in a Number")
    }

    /// Exponent of the first significant digit.
    private var magnitude: Int { exponent + String(coefficient).utf8.count - 1 }

    private func checkRange() throws(AWSError) {
        if coefficient == 0 { return }
        if magnitude > 125 {
            throw .validation(
                "Number overflow. Attempting to store a number with magnitude larger than supported range"
            )
        }
        if magnitude < -130 {
            throw .validation(
                "Number underflow. Attempting to store a number with magnitude smaller than supported range"
            )
        }
    }

    /// The number with the other sign.
    public var negated: DecimalNumber {
        DecimalNumber(isNegative: !isNegative && coefficient != 0, coefficient: coefficient, exponent: exponent)
    }

    /// The exact sum. Throws `ValidationException` when it has more than 38 digits or is out of range.
    public func adding(_ other: DecimalNumber) throws(AWSError) -> DecimalNumber {
        if coefficient == 0 { return other }
        if other.coefficient == 0 { return self }
        let common = min(exponent, other.exponent)
        let mine = try scaled(to: common)
        let others = try other.scaled(to: common)
        let sum: DecimalNumber
        if isNegative == other.isNegative {
            // A sum that passes 2^128 has 39 digits, and the last of them is not zero.
            let (total, overflow) = mine.addingReportingOverflow(others)
            if overflow { throw Self.tooManyDigits }
            sum = DecimalNumber(sign: isNegative, trimming: total, exponent: common)
        } else if mine >= others {
            sum = DecimalNumber(sign: isNegative, trimming: mine - others, exponent: common)
        } else {
            sum = DecimalNumber(sign: other.isNegative, trimming: others - mine, exponent: common)
        }
        guard sum.coefficient < Self.tenTo38 else { throw Self.tooManyDigits }
        try sum.checkRange()
        return sum
    }

    /// The coefficient at a lower exponent. One that does not fit 128 bits would leave more than 38 digits in any sum,
    /// because the other number ends in a digit that is not zero.
    private func scaled(to lower: Int) throws(AWSError) -> UInt128 {
        var result = coefficient
        for _ in lower..<exponent {
            let (product, overflow) = result.multipliedReportingOverflow(by: 10)
            if overflow { throw Self.tooManyDigits }
            result = product
        }
        return result
    }

    /// Plain digits, as DynamoDB answers: no exponent, no superfluous zeros.
    public var description: String {
        let digits = String(coefficient)
        let sign = isNegative ? "-" : ""
        if exponent >= 0 { return sign + digits + String(repeating: "0", count: coefficient == 0 ? 0 : exponent) }
        let point = digits.utf8.count + exponent
        if point > 0 { return sign + digits.prefix(point) + "." + digits.dropFirst(point) }
        return sign + "0." + String(repeating: "0", count: -point) + digits
    }

    /// Orders by value.
    public static func < (lhs: DecimalNumber, rhs: DecimalNumber) -> Bool {
        if lhs.isNegative != rhs.isNegative { return lhs.isNegative }
        return lhs.isNegative ? lessMagnitude(rhs, lhs) : lessMagnitude(lhs, rhs)
    }

    private static func lessMagnitude(_ lhs: DecimalNumber, _ rhs: DecimalNumber) -> Bool {
        if lhs.coefficient == 0 || rhs.coefficient == 0 { return lhs.coefficient == 0 && rhs.coefficient != 0 }
        if lhs.magnitude != rhs.magnitude { return lhs.magnitude < rhs.magnitude }
        // Of equal magnitude, digits compare as text.
        return String(lhs.coefficient) < String(rhs.coefficient)
    }

    /// Text whose bytes sort as the numbers do.
    public var sortable: String {
        if coefficient == 0 { return "1" }
        func padded(_ value: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: 3 - text.utf8.count) + text
        }
        let digits = String(coefficient)
        if !isNegative { return "2" + padded(magnitude + 130) + digits }
        let inverted = digits.utf8.map { Character(Unicode.Scalar(0x39 - ($0 - 0x30))) }
        return "0" + padded(255 - (magnitude + 130)) + String(inverted) + "~"
    }
}
