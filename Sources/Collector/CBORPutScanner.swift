import AWSProtocol

/// Scans CBOR (RFC 8949), also as Jackson writes it: maps, lists and strings of indefinite length. Blobs are byte strings.
/// Tags are passed over.
struct CBORPutScanner: PutScanner {
    struct Scope {
        /// Members or elements to come; nil: up to a break.
        var rest: UInt64?
        /// Containers and tags that are left together with it.
        var levels: Int
    }

    private enum Major {
        static let unsigned: UInt8 = 0
        static let negative: UInt8 = 1
        static let bytes: UInt8 = 2
        static let text: UInt8 = 3
        static let list: UInt8 = 4
        static let map: UInt8 = 5
        static let tag: UInt8 = 6
    }

    private struct Head {
        var major: UInt8
        var info: UInt8
        /// nil: indefinite length.
        var argument: UInt64?

        /// null, and undefined, which is as absent.
        var isNull: Bool { major == 7 && (info == 22 || info == 23) }
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0
    private var depth = 0
    private(set) var copies: [UInt8] = []

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private func malformed(_ reason: String) -> AWSError {
        .serialization("The request body is not valid CBOR: \(reason) at byte \(at)")
    }

    // MARK: - Containers

    mutating func structure() throws(AWSError) -> Scope? {
        let outside = depth
        let head = try value()
        switch head.major {
        case Major.map: return try enter(head, from: outside)
        case Major.list: throw PutMismatch.list
        default:
            try skip(head)
            depth = outside
            guard head.isNull else { throw PutMismatch.scalarForStructure }
            return nil
        }
    }

    mutating func list() throws(AWSError) -> Scope? {
        let outside = depth
        let head = try value()
        switch head.major {
        case Major.list: return try enter(head, from: outside)
        case Major.map: throw PutMismatch.structure
        default:
            try skip(head)
            depth = outside
            guard head.isNull else { throw PutMismatch.scalarForList }
            return nil
        }
    }

    private mutating func enter(_ head: Head, from outside: Int) throws(AWSError) -> Scope {
        try deepen()
        // The count is the sender's claim: it is counted down, and nothing reserved by it.
        return Scope(rest: head.argument, levels: depth - outside)
    }

    private mutating func deepen() throws(AWSError) {
        guard depth < putDepthLimit else { throw malformed("nested deeper than \(putDepthLimit) levels") }
        depth += 1
    }

    mutating func member(_ scope: inout Scope) throws(AWSError) -> PutMember? {
        guard try element(&scope) else { return nil }
        let (outside, copied) = (depth, copies.count)
        let head = try value()
        guard head.major == Major.text else { throw malformed("a key that is not text") }
        let text = try content(head)
        depth = outside
        let (name, isUTF8) = copies.withUnsafeBufferPointer { copies in
            let text = PutBytes(body: bytes, copies: copies)[text]
            let name = PutMember(text)
            return (name, name != .unknown || text.isUTF8)
        }
        guard isUTF8 else { throw malformed("text is not UTF-8") }
        if copies.count > copied { copies.removeSubrange(copied...) }
        return name
    }

    mutating func element(_ scope: inout Scope) throws(AWSError) -> Bool {
        if let rest = scope.rest {
            scope.rest = rest &- 1
            if rest > 0 { return true }
        } else if try !isBreak() {
            return true
        }
        depth -= scope.levels
        return false
    }

    private mutating func isBreak() throws(AWSError) -> Bool {
        guard at < bytes.count else { throw malformed("the bytes end before a break") }
        guard bytes[at] == CBOR.end else { return false }
        at += 1
        return true
    }

    func isAtContainer() throws(AWSError) -> Bool {
        var ahead = self
        let head = try ahead.value()
        return head.major == Major.map || head.major == Major.list
    }

    mutating func end() throws(AWSError) {
        guard at == bytes.count else { throw malformed("unexpected bytes behind the item") }
    }

    // MARK: - Scalars

    mutating func string() throws(AWSError) -> PutText {
        let outside = depth
        defer { depth = outside }
        let head = try value()
        return head.major == Major.text ? try text(head) : try absent(head, "an String")
    }

    mutating func blob() throws(AWSError) -> PutText {
        let outside = depth
        defer { depth = outside }
        let head = try value()
        return head.major == Major.bytes ? try content(head) : try absent(head, "a Blob")
    }

    mutating func truth() throws(AWSError) -> Bool? {
        let outside = depth
        defer { depth = outside }
        let head = try value()
        if head.major == Major.text {
            let text = try text(head)
            throw PutMismatch.text(copies.withUnsafeBufferPointer { PutBytes(body: bytes, copies: $0).string(text) })
        }
        guard let found = try scalar(head) else { return nil }
        guard found == .boolean else { throw PutMismatch.scalar(found, for: "an Boolean") }
        return head.info == 21
    }

    private mutating func absent(_ head: Head, _ type: String) throws(AWSError) -> PutText {
        if let found = try scalar(head) { throw PutMismatch.scalar(found, for: type) }
        return PutText()
    }

    /// Steps over what is no container and says what it is, nil for null. Containers are refused.
    private mutating func scalar(_ head: Head) throws(AWSError) -> PutMismatch.Scalar? {
        switch head.major {
        case Major.list: throw PutMismatch.list
        case Major.map: throw PutMismatch.structure
        default: try skip(head)
        }
        return switch head.major {
        case Major.bytes: .blob
        case Major.text: .string
        case Major.unsigned, Major.negative: .number
        default: head.isNull ? nil : head.info <= 21 ? .boolean : .number
        }
    }

    // MARK: - Lexis

    /// A value's head, the tags before it passed. Each tag is one more level.
    @inline(__always)
    private mutating func value() throws(AWSError) -> Head {
        while true {
            let head = try head()
            if head.major != Major.tag { return head }
            try deepen()
        }
    }

    @inline(__always)
    private mutating func head() throws(AWSError) -> Head {
        guard at < bytes.count else { throw malformed("the bytes end where an item is expected") }
        let (major, info) = (bytes[at] >> 5, bytes[at] & 31)
        at += 1
        if info < 24 { return Head(major: major, info: info, argument: UInt64(info)) }
        return try longHead(major, info)
    }

    private mutating func longHead(_ major: UInt8, _ info: UInt8) throws(AWSError) -> Head {
        switch info {
        case 24...27:
            let width = 1 << Int(info - 24)
            guard bytes.count - at >= width else { throw malformed("the bytes end inside of a number") }
            var argument: UInt64 = 0
            for byte in bytes[at..<at + width] { argument = argument << 8 | UInt64(byte) }
            at += width
            return Head(major: major, info: info, argument: argument)
        case 31 where major >= Major.bytes && major != Major.tag: return Head(major: major, info: info, argument: nil)
        default: throw malformed("an item of a reserved kind")
        }
    }

    private mutating func text(_ head: Head) throws(AWSError) -> PutText {
        let text = try content(head)
        let isUTF8 = copies.withUnsafeBufferPointer { PutBytes(body: bytes, copies: $0)[text].isUTF8 }
        guard isUTF8 else { throw malformed("text is not UTF-8") }
        return text
    }

    /// The bytes of a string. One of definite length is used as it stands; chunks are put together in the copies.
    private mutating func content(_ head: Head) throws(AWSError) -> PutText {
        if let count = head.argument {
            let range = try take(count)
            return PutText(start: range.lowerBound, count: range.count)
        }
        let copied = copies.count
        while try !isBreak() {
            let chunk = try self.head()
            guard chunk.major == head.major, let count = chunk.argument else {
                throw malformed("a chunk of another kind in a string")
            }
            copies.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[try take(count)]))
        }
        return PutText(start: copied, count: copies.count - copied, isCopied: true)
    }

    private mutating func take(_ count: UInt64) throws(AWSError) -> Range<Int> {
        guard count <= UInt64(bytes.count - at) else { throw malformed("the bytes end inside of a string") }
        defer { at += Int(count) }
        return at..<at + Int(count)
    }

    mutating func skip() throws(AWSError) {
        let outside = depth
        try skip(try value())
        depth = outside
    }

    /// Steps over what follows a head.
    private mutating func skip(_ head: Head) throws(AWSError) {
        let copied = copies.count
        switch head.major {
        case Major.unsigned, Major.negative: break
        case Major.bytes: _ = try content(head)
        case Major.text: _ = try text(head)
        case Major.list:
            var scope = try enter(head, from: depth)
            while try element(&scope) { try skip() }
        case Major.map:
            var scope = try enter(head, from: depth)
            while try member(&scope) != nil { try skip() }
        default: try checkSimple(head)
        }
        if copies.count > copied { copies.removeSubrange(copied...) }
    }

    /// Booleans, null, undefined, and finite numbers; nothing else is known under major type 7.
    private func checkSimple(_ head: Head) throws(AWSError) {
        let argument = head.argument ?? 0
        let isFinite: Bool
        switch head.info {
        case 20...23: return
        case 25: isFinite = argument >> 10 & 31 != 31
        case 26: isFinite = Float(bitPattern: UInt32(truncatingIfNeeded: argument)).isFinite
        case 27: isFinite = Double(bitPattern: argument).isFinite
        default:
            throw malformed(head.info == 31 ? "a break where an item is expected" : "an item of a reserved kind")
        }
        if !isFinite { throw malformed("a number that is not finite") }
    }
}
