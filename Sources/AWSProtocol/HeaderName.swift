/// Names of headers, compared without case. Every request is asked for a dozen, so nothing is copied to do it.
extension String {
    /// Whether it is a name, which is given in lower case.
    public func isHeader(_ name: String) -> Bool {
        guard utf8.count == name.utf8.count else { return false }
        return zip(utf8, name.utf8).allSatisfy { mine, other in
            mine == other || mine >= 0x41 && mine <= 0x5A && mine | 0x20 == other
        }
    }

    /// In lower case; itself where it is already.
    var asHeaderName: String { utf8.contains { $0 >= 0x41 && $0 <= 0x5A || $0 >= 0x80 } ? lowercased() : self }
}
