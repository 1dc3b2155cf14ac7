import AWSProtocol

/// What every record of a put must satisfy, in AWS's words. One pass, nothing allocated while all is well.
struct PutConstraints {
    /// Bytes of data and partition key in one record.
    var limit: Int
    /// The same over all records.
    var requestLimit: Int
    /// Firehose's records have none.
    var needsKeys: Bool

    func check(_ entries: [PutEntry], _ body: [UInt8], isBatch: Bool) throws(AWSError) {
        var violations: [String] = []
        var total = 0
        try body.withUnsafeBufferPointer { bytes throws(AWSError) in
            for (index, entry) in entries.enumerated() {
                func note(_ value: String, _ member: String, _ constraint: String) {
                    let path = isBatch ? "records.\(index + 1).member.\(member)" : member
                    violations.append("Value \(value) at '\(path)' failed to satisfy constraint: \(constraint)")
                }
                guard entry.data.isPresent else {
                    note("null", "data", "Member must not be null")
                    continue
                }
                // Exact for well-formed base64; the decoder refuses the rest.
                let size = try Self.decodedSize(entry.data, bytes)
                var keySize = 0
                if needsKeys {
                    guard entry.partitionKey.isPresent else {
                        note("null", "partitionKey", "Member must not be null")
                        continue
                    }
                    let length: Int
                    (keySize, length) = try Self.measure(entry.partitionKey, bytes)
                    if length == 0 {
                        note("''", "partitionKey", "Member must have length greater than or equal to 1")
                    } else if length > 256 {
                        let key = try bytes.string(entry.partitionKey)
                        note("'\(key)'", "partitionKey", "Member must have length less than or equal to 256")
                    }
                }
                if size + keySize > limit {
                    note(
                        "'java.nio.HeapByteBuffer[pos=0 lim=\(size) cap=\(size)]'",
                        "data",
                        "Member must have length less than or equal to \(limit)"
                    )
                }
                total += size + keySize
            }
        }
        if !violations.isEmpty {
            let listed = violations.prefix(10)
            let noun = listed.count == 1 ? "error" : "errors"
            throw .validation("\(listed.count) validation \(noun) detected: " + listed.joined(separator: "; "))
        }
        if total > requestLimit {
            throw .invalidArgument("Records size exceeds \(requestLimit / 1_048_576) MB limit")
        }
    }

    private static func decodedSize(_ text: PutEntry.Text, _ bytes: UnsafeBufferPointer<UInt8>) throws(AWSError) -> Int
    {
        guard text.isEscaped else {
            return Base64.decodedCount(UnsafeBufferPointer(rebasing: bytes[text.range])) ?? 0
        }
        // Escapes make the text longer than what it stands for.
        return Array(try bytes.string(text).utf8).withUnsafeBufferPointer { Base64.decodedCount($0) ?? 0 }
    }

    /// A key's size in UTF-8 bytes and its length in UTF-16 units.
    private static func measure(
        _ text: PutEntry.Text,
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(AWSError) -> (bytes: Int, length: Int) {
        let slice = bytes[text.range]
        if !text.isEscaped, slice.allSatisfy({ $0 < 0x80 }) { return (slice.count, slice.count) }
        let string = try bytes.string(text)
        return (string.utf8.count, string.utf16.count)
    }
}
