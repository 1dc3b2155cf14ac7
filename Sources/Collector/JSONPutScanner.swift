import AWSProtocol
import CChecksums

/// Scans JSON (RFC 8259). Blobs are base64 texts, found here and decoded by whoever uses them.
struct JSONPutScanner: PutScanner {
    /// Whether a comma is to come before the next member or element.
    struct Scope { var isFirst = true }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0
    private var depth = 0
    private(set) var copies: [UInt8] = []

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private func malformed(_ reason: String) -> AWSError {
        .serialization("The request body is not valid JSON: \(reason) at byte \(at)")
    }

    // MARK: - Containers

    mutating func structure() throws(AWSError) -> Scope? {
        switch peek() {
        case UInt8(ascii: "{"): return try enter()
        case UInt8(ascii: "["): throw PutMismatch.list
        default: return try nothing(or: PutMismatch.scalarForStructure)
        }
    }

    mutating func list() throws(AWSError) -> Scope? {
        switch peek() {
        case UInt8(ascii: "["): return try enter()
        case UInt8(ascii: "{"): throw PutMismatch.structure
        default: return try nothing(or: PutMismatch.scalarForList)
        }
    }

    private mutating func enter() throws(AWSError) -> Scope {
        at += 1
        depth += 1
        guard depth <= putDepthLimit else { throw malformed("nested deeper than \(putDepthLimit) levels") }
        return Scope()
    }

    /// A null in place of a container; anything else is refused, as malformed where it is.
    private mutating func nothing(or mismatch: AWSError) throws(AWSError) -> Scope? {
        let isNull = peek() == UInt8(ascii: "n")
        try skip()
        if !isNull { throw mismatch }
        return nil
    }

    mutating func member(_ scope: inout Scope) throws(AWSError) -> PutMember? {
        guard try next(&scope, closing: UInt8(ascii: "}")) else { return nil }
        let copied = copies.count
        let name = try name()
        if !name.isCopied { return PutMember(bytes(name)) }
        defer { copies.removeSubrange(copied...) }
        return copies.withUnsafeBufferPointer { PutMember(UnsafeBufferPointer(rebasing: $0[copied...])) }
    }

    private func bytes(_ text: PutText) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bytes[Int(text.start)..<Int(text.start) + Int(text.count)])
    }

    private mutating func name() throws(AWSError) -> PutText {
        guard peek() == UInt8(ascii: "\"") else { throw malformed("a member's name in quotes is expected") }
        let name = try text()
        guard peek() == UInt8(ascii: ":") else { throw malformed("':' is expected") }
        at += 1
        return name
    }

    mutating func element(_ scope: inout Scope) throws(AWSError) -> Bool {
        try next(&scope, closing: UInt8(ascii: "]"))
    }

    /// Steps over the comma; false behind the closing byte.
    @inline(__always)
    private mutating func next(_ scope: inout Scope, closing: UInt8) throws(AWSError) -> Bool {
        guard let byte = peek() else { throw malformed("the text is cut short") }
        if byte == closing {
            at += 1
            depth -= 1
            return false
        }
        if scope.isFirst {
            scope.isFirst = false
        } else {
            guard byte == UInt8(ascii: ",") else { throw malformed("',' is expected") }
            at += 1
            // What follows is a value, or a name: a closing byte is neither.
        }
        return true
    }

    func isAtContainer() -> Bool {
        var ahead = self
        let first = ahead.peek()
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }

    mutating func end() throws(AWSError) {
        guard peek() == nil else { throw malformed("unexpected text behind the document") }
    }

    // MARK: - Scalars

    mutating func string() throws(AWSError) -> PutText {
        if peek() == UInt8(ascii: "\"") { return try text() }
        return try absent("an String")
    }

    mutating func blob() throws(AWSError) -> PutText {
        if peek() == UInt8(ascii: "\"") { return try text() }
        return try absent("a Blob")
    }

    private mutating func absent(_ type: String) throws(AWSError) -> PutText {
        if let found = try scalar() { throw PutMismatch.scalar(found, for: type) }
        return PutText()
    }

    mutating func truth() throws(AWSError) -> Bool? {
        let first = peek()
        if first == UInt8(ascii: "\"") {
            let text = try text()
            throw PutMismatch.text(copies.withUnsafeBufferPointer { PutBytes(body: bytes, copies: $0).string(text) })
        }
        guard let found = try scalar() else { return nil }
        guard found == .boolean else { throw PutMismatch.scalar(found, for: "an Boolean") }
        return first == UInt8(ascii: "t")
    }

    /// Steps over a number, a boolean or a null and says which, nil for null. Containers are refused.
    private mutating func scalar() throws(AWSError) -> PutMismatch.Scalar? {
        switch peek() {
        case UInt8(ascii: "["): throw PutMismatch.list
        case UInt8(ascii: "{"): throw PutMismatch.structure
        case UInt8(ascii: "t"), UInt8(ascii: "f"):
            try skip()
            return .boolean
        case UInt8(ascii: "n"):
            try skip()
            return nil
        default:
            try number()
            return .number
        }
    }

    // MARK: - Lexis

    @inline(__always)
    private mutating func peek() -> UInt8? {
        while at < bytes.count {
            let byte = bytes[at]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            at += 1
        }
        return nil
    }

    /// A string, from its opening quote.
    private mutating func text() throws(AWSError) -> PutText {
        let start = at + 1
        at = start
        skipPlain()
        if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
            at += 1
            return PutText(start: start, count: at - 1 - start)
        }
        return try difficultText(start)
    }

    @inline(__always)
    private mutating func skipPlain() { at += millrace_json_plain(bytes.baseAddress! + at, bytes.count - at) }

    /// One with escapes, characters beyond ASCII, or a mistake.
    private mutating func difficultText(_ start: Int) throws(AWSError) -> PutText {
        while at < bytes.count, bytes[at] >= 0x80 {
            at += 1
            skipPlain()
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
            let text = UnsafeBufferPointer(rebasing: bytes[start..<at])
            guard text.isUTF8 else { throw malformed("text is not UTF-8") }
            at += 1
            return PutText(start: start, count: text.count)
        }
        let copied = copies.count
        do {
            at = try JSONString.append(bytes, from: start, to: &copies)
        } catch {
            throw .serialization("The request body is not valid JSON: \(error)")
        }
        let isUTF8 = copies.withUnsafeBufferPointer { UnsafeBufferPointer(rebasing: $0[copied...]).isUTF8 }
        guard isUTF8 else { throw malformed("text is not UTF-8") }
        return PutText(start: copied, count: copies.count - copied, isCopied: true)
    }

    mutating func skip() throws(AWSError) {
        guard let byte = peek() else { throw malformed("the text is cut short") }
        switch byte {
        case UInt8(ascii: "\""):
            let copied = copies.count
            _ = try text()
            if copies.count > copied { copies.removeSubrange(copied...) }
        case UInt8(ascii: "{"):
            var scope = try enter()
            while try member(&scope) != nil { try skip() }
        case UInt8(ascii: "["):
            var scope = try enter()
            while try element(&scope) { try skip() }
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try number()
        }
    }

    private mutating func word(_ word: StaticString) throws(AWSError) {
        let count = word.utf8CodeUnitCount
        guard bytes.count - at >= count, memoryEqual(bytes.baseAddress! + at, word.utf8Start, count) else {
            throw malformed("a value is expected")
        }
        at += count
    }

    private mutating func number() throws(AWSError) {
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
        let isZero = at < bytes.count && bytes[at] == UInt8(ascii: "0")
        let whole = digits()
        guard whole > 0, !(isZero && whole > 1) else { throw malformed("a value is expected") }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            guard digits() > 0 else { throw malformed("a digit is expected") }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw malformed("a digit is expected") }
        }
    }

    private mutating func digits() -> Int {
        let start = at
        while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 { at += 1 }
        return at - start
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether the bytes are well-formed UTF-8. Plain ASCII is told at once.
    var isUTF8: Bool { millrace_json_plain(baseAddress, count) == count || (try? UTF8Span(validating: span)) != nil }
}
