import AWSProtocol

/// Dates as policies write them: ISO 8601 (`2026-11-21`, `2026-11-21T06:09:10Z`, `2026-11-21T07:09:10.5+01:00`), or seconds
/// since 1970.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
public enum PolicyDate {
    /// Milliseconds since 1970; nil for text of another form.
    public static func milliseconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        if !bytes.isEmpty, bytes.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 || $0 == UInt8(ascii: ".") }) {
            return Double(text).flatMap { $0 < 9e15 ? Int64(($0 * 1000).rounded()) : nil }
        }
        guard bytes.count >= 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
        let day = String(decoding: bytes[0..<4] + bytes[5..<7] + bytes[8..<10], as: UTF8.self)
        if bytes.count == 10 { return SigV4Time.milliseconds(day + "T000000Z") }
        guard bytes[10] == UInt8(ascii: "T"), bytes.count >= 16, bytes[13] == UInt8(ascii: ":") else { return nil }
        var seconds: ArraySlice<UInt8> = [0x30, 0x30]
        var at = 16
        if bytes.count >= 19, bytes[16] == UInt8(ascii: ":") {
            seconds = bytes[17..<19]
            at = 19
        }
        let clock = String(decoding: bytes[11..<13] + bytes[14..<16] + seconds, as: UTF8.self)
        guard var time = SigV4Time.milliseconds("\(day)T\(clock)Z") else { return nil }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            let digits = bytes[(at + 1)...].prefix { $0 >= 0x30 && $0 <= 0x39 }
            guard !digits.isEmpty, let fraction = Double("0." + String(decoding: digits, as: UTF8.self)) else {
                return nil
            }
            time += Int64(fraction * 1000)
            at += 1 + digits.count
        }
        return zone(bytes[at...]).map { time - $0 }
    }

    /// `2026-11-21T06:09:10Z`
    public static func text(_ milliseconds: Int64) -> String {
        let basic = Array(SigV4Time.text(milliseconds).utf8)
        func part(_ range: Range<Int>) -> String { String(decoding: basic[range], as: UTF8.self) }
        return "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z"
    }

    /// Milliseconds ahead of UTC: of nothing, `Z`, `+hh:mm` or `-hhmm`.
    private static func zone(_ text: ArraySlice<UInt8>) -> Int64? {
        if text.isEmpty || text.elementsEqual([UInt8(ascii: "Z")]) { return 0 }
        guard let sign = text.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
        let digits = text.dropFirst().filter { $0 != UInt8(ascii: ":") }
        guard digits.count == 4, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let hours = Int64(String(decoding: digits[0..<2], as: UTF8.self)),
            let minutes = Int64(String(decoding: digits[2..<4], as: UTF8.self)), hours < 24, minutes < 60
        else { return nil }
        let ahead = (hours * 60 + minutes) * 60_000
        return sign == UInt8(ascii: "+") ? ahead : -ahead
    }
}
