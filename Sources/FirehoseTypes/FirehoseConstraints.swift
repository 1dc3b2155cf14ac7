import AWSProtocol

/// Constraints several operations share.
enum FirehoseConstraints {
    static let nameLength = 1...64
    static let types = ["DirectPut", "KinesisStreamAsSource", "MSKAsSource", "DatabaseAsSource"]
    static let compressionFormats = ["ZIP", "HADOOP_SNAPPY", "Snappy", "GZIP", "UNCOMPRESSED"]

    static let bucketARN = Pattern("arn:.*:s3:::[\\w\\.\\-]{1,255}") { text in
        guard text.hasPrefix("arn:"), let name = bucketName(text) else { return false }
        return (1...255).contains(name.utf8.count)
            && name.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    /// What follows `:s3:::`.
    static func bucketName(_ arn: String) -> String? {
        guard let colon = arn.lastIndex(of: ":") else { return nil }
        return arn[...colon].hasSuffix(":s3:::") ? String(arn[arn.index(after: colon)...]) : nil
    }

    static let roleARN = Pattern("arn:.*:iam::\\d{12}:role/[a-zA-Z_0-9+=,.@\\-_/]+") { text in
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 6, parts[0] == "arn", parts[parts.count - 4] == "iam", parts[parts.count - 3].isEmpty
        else {
            return false
        }
        let account = parts[parts.count - 2]
        let role = parts[parts.count - 1]
        return account.utf8.count == 12 && account.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
            && role.hasPrefix("role/")
            && role.utf8.count > 5
            && role.utf8.dropFirst(5).allSatisfy { isWord($0) || "+=,.@-/".utf8.contains($0) }
    }

    static let streamARN = Pattern("arn:.*:kinesis:[a-zA-Z0-9\\-]+:\\d{12}:stream/[a-zA-Z0-9_.-]+") { text in
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[2] == "kinesis", parts[5].hasPrefix("stream/") else {
            return false
        }
        return !parts[3].isEmpty && parts[3].utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") }
            && parts[4].utf8.count == 12 && parts[4].utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
            && Pattern.name.matches(String(parts[5].dropFirst(7)))
    }

    static let fileExtension = Pattern("^$|\\.[0-9a-z!\\-_.*'()]+") { text in
        text.isEmpty
            || text.hasPrefix(".") && text.utf8.count > 1
                && text.utf8.dropFirst().allSatisfy { byte in
                    byte >= 0x30 && byte <= 0x39 || byte >= 0x61 && byte <= 0x7A || "!-_.*'()".utf8.contains(byte)
                }
    }

    static let timeZone = Pattern("^$|[a-zA-Z/_]+") { text in
        text.utf8.allSatisfy {
            $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "_")
        }
    }

    static let version = Pattern("[0-9]+") { !$0.isEmpty && $0.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } }

    static let destinationID = Pattern("[a-zA-Z0-9-]+") { text in
        !text.isEmpty
            && text.utf8.allSatisfy { $0 != UInt8(ascii: "_") && isWord($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A || byte == UInt8(ascii: "_")
    }
}

extension RequestReader {
    /// `DeliveryStreamName`, which every operation but one needs.
    public mutating func deliveryStreamName() throws(AWSError) -> String {
        try string("DeliveryStreamName", length: FirehoseConstraints.nameLength, pattern: .name, required: true) ?? ""
    }

    /// Reads a member whose name is given as raw JSON list of structures.
    func list(_ name: String) throws(AWSError) -> [JSONValue]? {
        guard let member = raw(name) else { return nil }
        if member.members != nil { throw .serialization(Self.conversion(member, to: "a List")) }
        guard let elements = member.array else { throw .serialization("Expected list or null") }
        for element in elements {
            if element.array != nil { throw .serialization(Self.conversion(element, to: "a Structure")) }
            guard element.members != nil else { throw .serialization("Expected null") }
        }
        return elements
    }
}

/// What Firehose says when something is not found or in the way.
public enum FirehoseErrors {
    /// No such delivery stream.
    public static func notFound(_ name: String, account: String) -> AWSError {
        .notFound("Firehose \(name) under account \(account) not found.")
    }

    /// The name is taken.
    public static func exists(_ name: String, account: String) -> AWSError {
        .inUse("Firehose \(name) under accountId \(account) already exists")
    }

    /// A version that is not the current one.
    public static func concurrentModification(current: String) -> AWSError {
        AWSError(
            "ConcurrentModificationException",
            "Cannot update firehose: the current version id is \(current). Fetch the latest VersionId and try again."
        )
    }

    /// A put to a delivery stream that reads a data stream.
    public static func notDirectPut(_ name: String) -> AWSError {
        .invalidArgument(
            "This operation is not permitted on KinesisStreamAsSource delivery stream type: \(name) reads a data stream."
        )
    }
}
