import AWSProtocol

/// Whether bytes are a structure or a list at all. AWS looks at that before it looks at who sent them. Only what is refused
/// anyway is looked at here: a request that is carried out is read once, by its operation.
enum BodySyntax {
    /// Containers within each other.
    static let depthAtMost = 128

    static func isSound(_ body: [UInt8], _ format: WireFormat) -> Bool {
        body.withUnsafeBufferPointer { bytes in
            switch format {
            case .json:
                var scan = JSONScan(bytes: bytes)
                return scan.document()
            case .cbor:
                var scan = CBORScan(bytes: bytes)
                return scan.document()
            }
        }
    }
}

/// RFC 8259, in one pass and without a tree.
private struct JSONScan {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func document() -> Bool {
        skipBlanks()
        guard at < bytes.count, bytes[at] == UInt8(ascii: "{") || bytes[at] == UInt8(ascii: "[") else { return false }
        guard value(0) else { return false }
        skipBlanks()
        return at == bytes.count
    }

    private mutating func skipBlanks() {
        while at < bytes.count, bytes[at] == 0x20 || (0x09...0x0D).contains(bytes[at]) { at += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    private mutating func value(_ depth: Int) -> Bool {
        skipBlanks()
        guard at < bytes.count, depth < BodySyntax.depthAtMost else { return false }
        switch bytes[at] {
        case UInt8(ascii: "{"): return container(depth, end: "}", hasNames: true)
        case UInt8(ascii: "["): return container(depth, end: "]", hasNames: false)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return literal("true")
        case UInt8(ascii: "f"): return literal("false")
        case UInt8(ascii: "n"): return literal("null")
        default: return number()
        }
    }

    private mutating func container(_ depth: Int, end: Unicode.Scalar, hasNames: Bool) -> Bool {
        at += 1
        if take(end) { return true }
        repeat {
            if hasNames {
                skipBlanks()
                guard string(), take(":") else { return false }
            }
            guard value(depth + 1) else { return false }
        } while take(",")
        return take(end)
    }

    private mutating func string() -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return false }
        at += 1
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                return true
            case UInt8(ascii: "\\"): at += 2
            case 0..<0x20: return false
            default: at += 1
            }
        }
        return false
    }

    private mutating func literal(_ text: StaticString) -> Bool {
        guard bytes.count - at >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where bytes[at + index] != text.utf8Start[index] { return false }
        at += text.utf8CodeUnitCount
        return true
    }

    private mutating func digits() -> Bool {
        let start = at
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
        return at > start
    }

    private mutating func number() -> Bool {
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        guard digits() else { return false }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            guard digits() else { return false }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard digits() else { return false }
        }
        return true
    }
}

/// RFC 8949, in one pass and without a tree.
private struct CBORScan {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func document() -> Bool {
        // Tags before the item are passed over.
        while at < bytes.count, bytes[at] >> 5 == 6 {
            guard head() != nil else { return false }
        }
        guard at < bytes.count, bytes[at] >> 5 == 4 || bytes[at] >> 5 == 5 else { return false }
        return item(0) && at == bytes.count
    }

    /// Major type and argument, which indefinite length has none of.
    private mutating func head() -> (major: UInt8, argument: UInt64?)? {
        guard at < bytes.count else { return nil }
        let (major, info) = (bytes[at] >> 5, Int(bytes[at] & 31))
        at += 1
        if info == 31 { return (2...5).contains(major) ? (major, nil) : nil }
        guard info < 28 else { return nil }
        guard info > 23 else { return (major, UInt64(info)) }
        let width = 1 << (info - 24)
        guard bytes.count - at >= width else { return nil }
        defer { at += width }
        return (major, bytes[at..<at + width].reduce(0) { $0 << 8 | UInt64($1) })
    }

    private mutating func item(_ depth: Int) -> Bool {
        guard depth < BodySyntax.depthAtMost, let (major, argument) = head() else { return false }
        guard let argument else { return open(major, depth) }
        switch major {
        case 2, 3: return skip(argument)
        case 4: return items(argument, depth)
        case 5:
            let (count, overflows) = argument.multipliedReportingOverflow(by: 2)
            return !overflows && items(count, depth)
        case 6: return item(depth + 1)
        default: return true
        }
    }

    private mutating func skip(_ count: UInt64) -> Bool {
        guard count <= UInt64(bytes.count - at) else { return false }
        at += Int(count)
        return true
    }

    private mutating func items(_ count: UInt64, _ depth: Int) -> Bool {
        // Each has a byte at least.
        guard count <= UInt64(bytes.count - at) else { return false }
        for _ in 0..<count where !item(depth + 1) { return false }
        return true
    }

    /// A string, list or map of indefinite length: items up to a break.
    private mutating func open(_ major: UInt8, _ depth: Int) -> Bool {
        var count = 0
        while at < bytes.count {
            if bytes[at] == 0xFF {
                at += 1
                return major != 5 || count % 2 == 0
            }
            if major < 4, bytes[at] >> 5 != major { return false }
            guard item(depth + 1) else { return false }
            count += 1
        }
        return false
    }
}
