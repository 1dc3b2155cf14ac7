import Glibc

/// Tells a machine from a clone of it that was given a machine-id of its own.
///
/// A state folder that is copied with its machine holds the same sources, and both machines go on numbering their records
/// from the same place: the collector would take the one's records for the other's. So a source goes by a number that is
/// made of its own and the machine's. See machine-id(5).
enum HostIdentity {
    /// 63 bits made of the machine's id; 0 where it has none.
    static let mask = mask(ofFile: "/etc/machine-id")

    static func mask(ofFile path: String) -> UInt64 {
        guard let file = fopen(path, "re") else { return 0 }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = fread(&bytes, 1, bytes.count, file)
        let id = bytes[..<count].prefix { $0 != 0x0A }
        if id.isEmpty { return 0 }
        // FNV-1a, which never changes between versions.
        return id.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } >> 1
    }
}
