/// Bytes as people write them.
enum ByteCount {
    private static let units: [(suffix: String, bytes: UInt64)] = [
        ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1), ("", 1),
    ]

    /// `500GB`, `2 TiB`, `1048576`; nil for anything else, and for nothing at all.
    static func parse(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let suffix = text.dropFirst(digits.count).drop { $0 == " " }
        guard let number = UInt64(digits), number > 0,
            let unit = units.first(where: { $0.suffix.lowercased() == suffix.lowercased() })
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }
}
