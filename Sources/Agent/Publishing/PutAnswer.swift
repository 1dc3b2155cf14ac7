import AWSProtocol

/// Reads what PutRecords and PutRecordBatch answer. Where nothing failed, which is nearly always, only the count is
/// looked at.
enum PutAnswer {
    /// The records that were not stored; `count` is how many were sent.
    static func failures(_ body: [UInt8], count: Int) throws(PublishError) -> [RecordFailure] {
        if failureCount(body) == 0 { return [] }
        let json: JSONValue
        do { json = try JSONValue(parsing: body) } catch {
            throw PublishError(code: "BadAnswer", message: "the endpoint's answer is no JSON: \(error)")
        }
        guard let entries = (json["Records"] ?? json["RequestResponses"])?.array, entries.count == count else {
            throw PublishError(
                code: "BadAnswer",
                message: "the endpoint's answer does not list the \(count) records that were sent"
            )
        }
        return entries.enumerated().compactMap { index, entry in
            guard let code = entry["ErrorCode"]?.string else { return nil }
            return RecordFailure(index: index, code: code, message: entry["ErrorMessage"]?.string ?? "")
        }
    }

    /// The count of failures, where it stands at one of the answer's ends. A quote inside a string is escaped, so the name
    /// with its quotes can't be part of some message.
    private static func failureCount(_ body: [UInt8]) -> Int? {
        for part in [body.suffix(96), body.prefix(96)] {
            for name in ["\"FailedRecordCount\":", "\"FailedPutCount\":"] {
                guard let at = part.firstRange(of: Array(name.utf8))?.upperBound else { continue }
                let digits = part[at...].drop { $0 == 0x20 }.prefix { $0 >= 0x30 && $0 <= 0x39 }
                // Cut off at the edge of the part, the number could be a piece of a longer one.
                guard !digits.isEmpty, digits.endIndex < part.endIndex else { continue }
                return Int(String(decoding: digits, as: UTF8.self))
            }
        }
        return nil
    }
}
