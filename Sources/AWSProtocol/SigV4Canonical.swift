import Crypto

/// Lower-case hexadecimal digits.
func hexDigits(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in bytes {
        text.append(digit(byte >> 4))
        text.append(digit(byte & 15))
    }
    return String(decoding: text, as: UTF8.self)

    func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}

/// The texts that Signature Version 4 signs.
/// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
enum SigV4Canonical {
    /// The canonical request.
    ///
    /// - Parameters:
    ///   - path: as on the request line.
    ///   - query: the pairs to sign, as they stand on the request line.
    ///   - headers: the signed ones, lower-case names, sorted.
    static func request(
        method: String,
        path: String,
        query: [(name: String, value: String)],
        headers: [(name: String, value: String)],
        bodyHash: String
    ) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(1024)
        text += method.utf8
        text.append(newline)
        text += canonicalPath(path).utf8
        text.append(newline)
        if !query.isEmpty {
            let sorted = query.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            text += sorted.map { "\($0.name)=\($0.value)" }.joined(separator: "&").utf8
        }
        text.append(newline)
        for header in headers {
            text += header.name.utf8
            text.append(UInt8(ascii: ":"))
            appendTrimmed(header.value, to: &text)
            text.append(newline)
        }
        text.append(newline)
        for (index, header) in headers.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ";")) }
            text += header.name.utf8
        }
        text.append(newline)
        text += bodyHash.utf8
        return text
    }

    private static let newline = UInt8(ascii: "\n")

    static func stringToSign(date: String, scope: String, request: [UInt8]) -> String {
        "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n" + hexDigits(SHA256.hash(data: request))
    }

    /// The key of one day, region and service.
    static func key(secret: String, day: String, region: String, service: String) -> SymmetricKey {
        var key = SymmetricKey(data: Array(("AWS4" + secret).utf8))
        for part in [day, region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        return key
    }

    static func signature(_ text: String, key: SymmetricKey) -> String {
        hexDigits(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }

    /// Splits a query as it stands on the request line and brings its escapes into the one form that is signed.
    static func query(_ text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (escaped(unescaped(parts[0])), parts.count > 1 ? escaped(unescaped(parts[1])) : "")
        }
    }

    /// What stands for itself in a signed text: letters, digits and `-._~`.
    static func escaped(_ text: String, keeping slash: Bool = false) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case 0x2F where slash: result += "/"
            default: result += "%" + hexDigits([byte]).uppercased()
            }
        }
        return result
    }

    static func unescaped(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(Substring(rest.prefix(2))), radix: 16),
                rest.count >= 2
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Normalised, and escaped once more than on the request line, as every service but S3 has it.
    static func canonicalPath(_ path: String) -> String {
        path.isEmpty || path == "/" ? "/" : escaped(normalized(path), keeping: true)
    }

    /// Without empty segments and `.`, and without `..` and the segment before it (RFC 3986, section 6.2.2.3). A slash at
    /// the end stays. Escaped dots are segments like others: the path is read as it stands on the request line.
    private static func normalized(_ path: String) -> String {
        var segments: [Substring] = []
        for segment in path.split(separator: "/") where segment != "." {
            if segment == ".." { _ = segments.popLast() } else { segments.append(segment) }
        }
        let end = path.hasSuffix("/") && !segments.isEmpty ? "/" : ""
        return "/" + segments.joined(separator: "/") + end
    }

    /// Without blanks at the ends, runs of blanks inside as one.
    private static func appendTrimmed(_ value: String, to text: inout [UInt8]) {
        var isBlankDue = false
        let start = text.count
        for byte in value.utf8 {
            if byte == UInt8(ascii: " ") {
                isBlankDue = text.count > start
            } else {
                if isBlankDue { text.append(UInt8(ascii: " ")) }
                isBlankDue = false
                text.append(byte)
            }
        }
    }
}
