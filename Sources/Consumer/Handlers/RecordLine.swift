import AWSProtocol

/// A record as one line of JSON, for commands and files:
/// `{"shardId","sequenceNumber","partitionKey","approximateArrivalTimestamp" (ms since 1970),"data" (base64)[,"text"]}`.
///
/// `text` is there when the payload is UTF-8, so that simple programs need no base64.
public enum RecordLine {
    /// Appends the object and a newline.
    public static func append(_ record: ConsumedRecord, shard: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"shardId":"#.utf8)
        append(shard, to: &bytes)
        bytes.append(contentsOf: #","sequenceNumber":"#.utf8)
        append(record.sequenceNumber, to: &bytes)
        bytes.append(contentsOf: #","partitionKey":"#.utf8)
        append(record.partitionKey, to: &bytes)
        bytes.append(contentsOf: #","approximateArrivalTimestamp":"#.utf8)
        bytes.append(contentsOf: String(record.arrivalMilliseconds).utf8)
        bytes.append(contentsOf: #","data":""#.utf8)
        appendBase64(record.data, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        if String(validating: record.data, as: UTF8.self) != nil {
            bytes.append(contentsOf: #","text":"#.utf8)
            record.data.withUnsafeBufferPointer { JSONWriter.appendQuoted($0, to: &bytes) }
        }
        bytes.append(contentsOf: "}\n".utf8)
    }

    /// The lines of a batch.
    public static func lines(_ records: [ConsumedRecord], shard: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.reduce(0) { $0 + $1.data.count * 5 / 2 + 256 })
        for record in records { append(record, shard: shard, to: &bytes) }
        return bytes
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { JSONWriter.appendQuoted($0, to: &bytes) }
    }

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// RFC 4648 section 4, with padding.
    static func appendBase64(_ data: [UInt8], to bytes: inout [UInt8]) {
        var at = 0
        while at < data.count {
            let rest = data.count - at
            let first = data[at]
            let second = rest > 1 ? data[at + 1] : 0
            let third = rest > 2 ? data[at + 2] : 0
            bytes.append(digits[Int(first >> 2)])
            bytes.append(digits[Int((first & 3) << 4 | second >> 4)])
            bytes.append(rest > 1 ? digits[Int((second & 15) << 2 | third >> 6)] : UInt8(ascii: "="))
            bytes.append(rest > 2 ? digits[Int(third & 63)] : UInt8(ascii: "="))
            at += 3
        }
    }
}
