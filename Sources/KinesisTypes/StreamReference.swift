import AWSProtocol

/// Names a stream in a request: by name, by ARN, or by both.
public struct StreamReference: Sendable, Equatable {
    /// The stream's name, taken from the ARN when only that was given.
    public var name: String
    /// The ARN, where one was given.
    public var arn: String?

    /// Names a stream.
    public init(name: String, arn: String? = nil) {
        self.name = name
        self.arn = arn
    }

    /// 1 to 128 characters of `[a-zA-Z0-9_.-]`.
    static let nameLength = 1...128

    /// `arn:aws.*:kinesis:.*:\d{12}:stream/\S+`
    static let arnPattern = Pattern("arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+") { streamName(inARN: $0) != nil }

    /// 20 and 3 characters of `[a-z0-9]`: AWS reserves the member and gives it no meaning yet.
    static let idPattern = Pattern("[a-z0-9]{20}-[a-z0-9]{3}") { text in
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return parts.map(\.count) == [20, 3]
            && parts.joined().allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x7A) }
    }

    /// The name in a stream's ARN; nil when it is none.
    public static func streamName(inARN arn: String) -> String? {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "kinesis",
            parts[4].utf8.count == 12, parts[4].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            parts[5].hasPrefix("stream/"), parts[5].utf8.count > 7
        else { return nil }
        return String(parts[5].dropFirst(7))
    }
}

extension RequestReader {
    /// Reads `StreamName` and `StreamARN`; with `optional`, nil when there is neither. `StreamId` is checked and has no
    /// meaning, as on AWS.
    mutating func stream(optional: Bool = false) throws(AWSError) -> StreamReference? {
        let isNamed = raw("StreamName") != nil || raw("StreamARN") != nil
        let name = try string("StreamName", length: StreamReference.nameLength, pattern: .name)
        let arn = try string("StreamARN", length: 1...2048, pattern: StreamReference.arnPattern)
        _ = try string("StreamId", length: 24...24, pattern: StreamReference.idPattern)
        guard isNamed else {
            if !optional { refuse(.invalidArgument("Either StreamName or StreamARN must be provided.")) }
            return nil
        }
        let fromARN = arn.flatMap(StreamReference.streamName(inARN:))
        if let name, let fromARN, name != fromARN {
            refuse(.invalidArgument("StreamName \(name) and StreamARN \(arn ?? "") name different streams."))
        }
        // A broken name is noted already; `finish` throws before anybody looks at the empty one.
        return StreamReference(name: fromARN ?? name ?? "", arn: arn)
    }

    /// Reads them where one is needed: with neither, `finish` throws `InvalidArgumentException`.
    public mutating func requiredStream() throws(AWSError) -> StreamReference {
        try stream() ?? StreamReference(name: "")
    }

    /// Reads a `StreamARN` that must be there: the newer operations take no name.
    mutating func streamARN() throws(AWSError) -> StreamReference {
        let arn = try string("StreamARN", length: 1...2048, pattern: StreamReference.arnPattern, required: true)
        return StreamReference(name: arn.flatMap(StreamReference.streamName(inARN:)) ?? "", arn: arn)
    }
}
