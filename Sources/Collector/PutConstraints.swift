import AWSProtocol

/// What the records of a put must satisfy, in AWS's words. Nothing is allocated while all is well.
struct PutConstraints {
    let put: PutBody
    let body: [UInt8]
    /// Records a request may hold.
    var countLimit: Int
    /// Bytes of data that the API's model allows in one record.
    var dataLimit: Int

    /// Notes every constraint that the records break; the reader lists the first ten.
    ///
    /// - Parameter needsKeys: whether a record must have a partition key; asked where one has none.
    func note(in reader: inout RequestReader, needsKeys: () -> Bool) throws(AWSError) {
        let list = put.syntax.isBatch ? "Records" : "Record"
        guard put.hasRecords else {
            reader.note(nil, list, "Member must not be null")
            return
        }
        if put.syntax.isBatch, put.count == 0 || put.count > countLimit {
            if put.count == 0 {
                reader.note("[]", list, "Member must have length greater than or equal to 1")
            } else {
                reader.noteUnshown(list, "Member must have length less than or equal to \(countLimit)")
            }
        }
        var keys: Bool?
        try put.withBytes(body) { bytes throws(AWSError) in
            for (index, entry) in put.entries.enumerated() {
                if put.syntax.isKinesis {
                    if !entry.partitionKey.isPresent, keys == nil { keys = needsKeys() }
                    note(entry, index, bytes, needsKey: keys ?? true, in: &reader)
                }
                note(dataOf: entry, index, bytes, in: &reader)
                if reader.isFull { break }
            }
        }
    }

    private func path(_ index: Int, _ member: StaticString) -> String {
        switch put.syntax {
        case .kinesisRecord: "\(member)"
        case .firehoseRecord: "record.\(member)"
        case .kinesisRecords, .firehoseBatch: "records.\(index + 1).member.\(member)"
        }
    }

    private func note(
        _ entry: PutEntry,
        _ index: Int,
        _ bytes: PutBytes,
        needsKey: Bool,
        in reader: inout RequestReader
    ) {
        let key = entry.partitionKey
        if !key.isPresent {
            if needsKey { reader.note(nil, path(index, "partitionKey"), "Member must not be null") }
        } else if key.count == 0 {
            reader.note("", path(index, "partitionKey"), "Member must have length greater than or equal to 1")
        } else if key.count > 256 {
            // Counted in UTF-16 units, of which there are never more than bytes.
            let text = bytes.string(key)
            if text.utf16.count > 256 {
                reader.note(text, path(index, "partitionKey"), "Member must have length less than or equal to 256")
            }
        }
        if entry.explicitHashKey.isPresent {
            let text = bytes[entry.explicitHashKey]
            if !Pattern.isDecimal(text, atMost: Self.hashKeyDigits) {
                let pattern = Pattern.decimal(moreDigits: Self.hashKeyDigits - 1).text
                reader.note(
                    bytes.string(entry.explicitHashKey),
                    path(index, "explicitHashKey"),
                    "Member must satisfy regular expression pattern: \(pattern)"
                )
            }
        }
    }

    private static let hashKeyDigits = 39

    private func note(dataOf entry: PutEntry, _ index: Int, _ bytes: PutBytes, in reader: inout RequestReader) {
        guard entry.data.isPresent else {
            reader.note(nil, path(index, "data"), "Member must not be null")
            return
        }
        let size = put.dataCount(entry, bytes)
        if size > dataLimit { noteData(above: dataLimit, index, in: &reader) }
    }

    private func noteData(above limit: Int, _ index: Int, in reader: inout RequestReader) {
        reader.noteUnshown(path(index, "data"), "Member must have length less than or equal to \(limit)")
    }

    /// Throws when a record's data and key, or those of all records, are larger than the stream takes.
    func checkSizes(record limit: Int, request requestLimit: Int) throws(AWSError) {
        var reader = RequestReader(members: [])
        var total = 0
        try put.withBytes(body) { bytes throws(AWSError) in
            for (index, entry) in put.entries.enumerated() {
                let (size, key) = (put.dataCount(entry, bytes), Int(entry.partitionKey.count))
                total += size + key
                // The key takes its part of the room, though the words don't say so.
                if size + key > limit { noteData(above: limit, index, in: &reader) }
            }
        }
        try reader.finish()
        if total > requestLimit {
            throw .invalidArgument("Records size exceeds \(requestLimit / 1_048_576) MB limit")
        }
    }
}
