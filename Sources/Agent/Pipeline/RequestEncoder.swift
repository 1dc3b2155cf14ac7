import CChecksums

/// Writes a batch as the body of PutRecords or PutRecordBatch, straight into bytes that are used again and again.
struct RequestEncoder: Sendable {
    let destination: FlowDestination
    let keys: PartitionKeys

    /// Replaces `body` by a request with the batch's records; `selection` as in `Batch.forEach`.
    func encode(_ batch: Batch, only selection: [Int]? = nil, into body: inout [UInt8]) {
        let name: StaticString
        switch destination {
        case .stream: name = "StreamName"
        case .deliveryStream: name = "DeliveryStreamName"
        }
        // Every record's share at its longest; the base64 of all pieces is at most 4 bytes a record longer than that of
        // the whole.
        let records = selection?.count ?? batch.count
        let bound = 128 + destination.name.utf8.count + batch.dataBytes / 3 * 4 + records * (48 + keys.longest)
        if body.count < bound { body.append(contentsOf: repeatElement(0, count: bound - body.count)) }
        let used = body.withUnsafeMutableBufferPointer { buffer in
            var cursor = Cursor(at: buffer.baseAddress!)
            cursor.put("{\"")
            cursor.put(name)
            cursor.put("\":\"")
            cursor.put(destination.name)
            cursor.put("\",\"Records\":[")
            var writer = RecordWriter(keys: keys)
            batch.forEach(selection) { chunk, record in writer.write(chunk, record, to: &cursor) }
            if records > 0 { cursor.at -= 1 }
            cursor.put("]}")
            return cursor.at - buffer.baseAddress!
        }
        precondition(used <= bound, "a request grew beyond its computed bound")
        body.removeLast(body.count - used)
    }
}

/// A place in memory that moves on with what is written.
private struct Cursor {
    var at: UnsafeMutablePointer<UInt8>

    mutating func put(_ text: StaticString) {
        at.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        at += text.utf8CodeUnitCount
    }

    mutating func put(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            guard let base = bytes.baseAddress else { return }
            at.update(from: base, count: bytes.count)
            at += bytes.count
        }
    }

    mutating func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            at.update(from: base, count: bytes.count)
            at += bytes.count
        }
    }
}

private struct RecordWriter {
    let keys: PartitionKeys
    private var producer: UInt64?
    private var stretch: Int64 = 0
    private var key: [UInt8] = []
    private static let hexDigits: StaticString = "0123456789abcdef"

    init(keys: PartitionKeys) {
        self.keys = keys
        key.reserveCapacity(32)
    }

    mutating func write(_ chunk: SourceChunk, _ record: Int, to cursor: inout Cursor) {
        let range = chunk.range(record)
        chunk.bytes.withUnsafeBufferPointer { bytes in
            let data = UnsafeBufferPointer(rebasing: bytes[range])
            cursor.put("{\"Data\":\"")
            if let base = data.baseAddress { cursor.at += millrace_base64_encode(base, data.count, cursor.at) }
            guard keys != .none else { return cursor.put("\"},") }
            cursor.put("\",\"PartitionKey\":\"")
            switch keys {
            case .none: break
            case .perStretch, .perRecord: putNumber(chunk, record, to: &cursor)
            case .content: putHash(data, to: &cursor)
            }
            cursor.put("\"},")
        }
    }

    private mutating func putNumber(_ chunk: SourceChunk, _ record: Int, to cursor: inout Cursor) {
        let sequence = chunk.sequence(record)
        if keys == .perRecord || producer != chunk.producer || stretch != sequence >> 12 {
            producer = chunk.producer
            stretch = sequence >> 12
            var number = keys.number(producer: chunk.producer, sequence: sequence)
            key.removeAll(keepingCapacity: true)
            repeat {
                key.append(0x30 + UInt8(truncatingIfNeeded: number % 10))
                number /= 10
            } while number > 0
            key.reverse()
        }
        cursor.put(key)
    }

    private func putHash(_ data: UnsafeBufferPointer<UInt8>, to cursor: inout Cursor) {
        var digest: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &digest) { digest in
            guard let out = digest.baseAddress else { return }
            millrace_md5(data.baseAddress, data.count, out)
            for byte in digest {
                cursor.at[0] = Self.hexDigits.utf8Start[Int(byte >> 4)]
                cursor.at[1] = Self.hexDigits.utf8Start[Int(byte & 15)]
                cursor.at += 2
            }
        }
    }
}
