import Glibc

/// Addresses that share their first bits: `203.0.113.0/24`, `2001:db8::/32`, or a single one.
///
/// IPv4 stands in IPv6's space at `::ffff:0:0/96`, so that a dual-stack socket's view of a client is the client.
struct AddressRange: Sendable, Equatable {
    private let first: UInt128
    private let mask: UInt128

    /// RFC 4632 or RFC 4291 text; nil for any other.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Self.address(String(parts[0])) else { return nil }
        var bits = 128
        if parts.count > 1 {
            let isShort = !parts[0].contains(":")
            guard let count = Int(parts[1]), parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
                (0...(isShort ? 32 : 128)).contains(count)
            else { return nil }
            bits = isShort ? count + 96 : count
        }
        mask = bits == 0 ? 0 : ~0 << UInt128(128 - bits)
        first = address & mask
    }

    func contains(_ address: UInt128) -> Bool { address & mask == first }

    /// A single address; nil for text of another form. What names an interface (`%eth0`) is left out.
    static func address(_ text: String) -> UInt128? {
        let text = String(text.prefix { $0 != "%" })
        if text.utf8.contains(UInt8(ascii: ":")) {
            var address = in6_addr()
            guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
            return withUnsafeBytes(of: &address) { bytes in bytes.reduce(0) { $0 << 8 | UInt128($1) } }
        }
        var address = in_addr()
        guard inet_pton(AF_INET, text, &address) == 1 else { return nil }
        return withUnsafeBytes(of: &address) { bytes in bytes.reduce(0xFFFF) { $0 << 8 | UInt128($1) } }
    }
}
