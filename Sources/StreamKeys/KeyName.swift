import AWSProtocol

/// A key as requests name it: a UUID, a key ARN, `alias/NAME`, or an alias ARN.
/// Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StartStreamEncryption.html (`KeyId`)
struct KeyName: Sendable, Equatable {
    /// The key's name here: the UUID in lower case, or `alias/NAME`.
    let name: String
    /// Of an ARN.
    let region: String?
    /// Of an ARN.
    let account: String?

    /// The key that AWS makes by itself where it is first asked for.
    static let service = "alias/aws/kinesis"

    /// Throws `InvalidArgumentException` for what is none of the four forms.
    init(_ text: String) throws(AWSError) {
        let invalid = AWSError.invalidArgument(
            "KeyId \(text) is not valid. It must be a key ID, a key ARN, an alias name prefixed by alias/, or an alias ARN."
        )
        guard text.hasPrefix("arn:") else {
            guard let name = Self.name(text) else { throw invalid }
            (self.name, region, account) = (name, nil, nil)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[1] == "aws" || parts[1].hasPrefix("aws-"), parts[2] == "kms", !parts[3].isEmpty,
            parts[4].utf8.count == 12, parts[4].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        else { throw invalid }
        let isKey = parts[5].hasPrefix("key/")
        guard let name = Self.name(isKey ? String(parts[5].dropFirst(4)) : parts[5]),
            name.hasPrefix("alias/") != isKey
        else { throw invalid }
        (self.name, region, account) = (name, parts[3], parts[4])
    }

    private static func name(_ text: String) -> String? {
        guard text.hasPrefix("alias/") else { return isID(text) ? text.lowercased() : nil }
        return isAlias(text.dropFirst(6)) ? text : nil
    }

    /// The name of a key that is kept as `path`: a UUID is a key's own id, everything else an alias. Nil for what no request
    /// can name.
    static func kept(as path: String) -> String? {
        if isID(path) { return path.lowercased() }
        return isAlias(Substring(path)) ? "alias/" + path : nil
    }

    /// As KMS writes it in messages.
    static func arn(of name: String, region: String, account: String) -> String {
        "arn:aws:kms:\(region):\(account):" + (name.hasPrefix("alias/") ? name : "key/" + name)
    }

    /// Whether it is a UUID, or the id of a multi-Region key: `mrk-` and 32 hexadecimal digits.
    private static func isID(_ text: String) -> Bool {
        func isHex(_ text: Substring, _ count: Int) -> Bool {
            text.utf8.count == count && text.allSatisfy { $0.isASCII && $0.isHexDigit }
        }
        if text.hasPrefix("mrk-") { return isHex(text.dropFirst(4), 32) }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 5 && zip(parts, [8, 4, 4, 4, 12]).allSatisfy { isHex($0, $1) }
    }

    /// Letters, digits, `/`, `_` and `-`, at most 250 of them; no empty part between slashes, as it may be a path of folders.
    private static func isAlias(_ text: Substring) -> Bool {
        let isWord = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        }
        return isWord && text.utf8.count <= 250
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
    }
}
