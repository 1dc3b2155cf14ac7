import AWSProtocol
import CChecksums
import StreamModel

/// One record where it lies in the log.
struct StoredRecord {
    var number: SequenceNumber
    var arrivalMilliseconds: Int64
    /// Empty in a record that has none, which only streams that spread records by themselves take.
    var key: UnsafeRawBufferPointer
    var data: UnsafeRawBufferPointer
    /// Whether it lay encrypted.
    var isEncrypted = false
}

/// Writes a list of records in one format.
protocol RecordWriter {
    /// Bytes that the records of a piece of log take when they are written; a guess from above.
    static func room(forLogBytes count: Int) -> Int
    static func beginList(_ bytes: inout [UInt8])
    static func append(_ record: StoredRecord, isFirst: Bool, to bytes: inout [UInt8])
    static func endList(_ bytes: inout [UInt8])
}

/// `[{"SequenceNumber":"49…","ApproximateArrivalTimestamp":1795000000.000,"PartitionKey":"…","Data":"<base64>"},…]`
enum JSONRecordWriter: RecordWriter {
    static func room(forLogBytes count: Int) -> Int { count / 3 * 4 + count / 8 }

    static func beginList(_ bytes: inout [UInt8]) { bytes.append(UInt8(ascii: "[")) }

    static func endList(_ bytes: inout [UInt8]) { bytes.append(UInt8(ascii: "]")) }

    static func append(_ record: StoredRecord, isFirst: Bool, to bytes: inout [UInt8]) {
        bytes.append(isFirst ? "{\"SequenceNumber\":\"" : ",{\"SequenceNumber\":\"")
        record.number.appendDecimal(to: &bytes)
        bytes.append("\",\"ApproximateArrivalTimestamp\":")
        append(seconds: record.arrivalMilliseconds, to: &bytes)
        if !record.key.isEmpty {
            bytes.append(",\"PartitionKey\":")
            JSONWriter.appendQuoted(record.key.assumingMemoryBound(to: UInt8.self), to: &bytes)
        }
        bytes.append(",\"Data\":\"")
        append(base64: record.data.assumingMemoryBound(to: UInt8.self), to: &bytes)
        bytes.append(record.isEncrypted ? "\",\"EncryptionType\":\"KMS\"}" : "\"}")
    }

    /// Seconds with three decimals.
    private static func append(seconds milliseconds: Int64, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: String(milliseconds / 1000).utf8)
        let fraction = UInt8(ascii: "0")
        let rest = milliseconds % 1000
        bytes += [
            UInt8(ascii: "."), fraction + UInt8(rest / 100), fraction + UInt8(rest / 10 % 10),
            fraction + UInt8(rest % 10),
        ]
    }

    private static func append(base64 data: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Base64.encodedCount(data.count)))
        bytes.withUnsafeMutableBufferPointer { target in
            _ = millrace_base64_encode(data.baseAddress, data.count, target.baseAddress! + start)
        }
    }
}

/// The same members as a list of maps of indefinite length; the time is whole milliseconds under tag 1, the data a byte
/// string.
enum CBORRecordWriter: RecordWriter {
    static func room(forLogBytes count: Int) -> Int { count + count / 4 }

    static func beginList(_ bytes: inout [UInt8]) { bytes.append(CBOR.arrayStart) }

    static func endList(_ bytes: inout [UInt8]) { bytes.append(CBOR.end) }

    static func append(_ record: StoredRecord, isFirst: Bool, to bytes: inout [UInt8]) {
        bytes.append(CBOR.mapStart)
        CBOR.appendName("SequenceNumber", to: &bytes)
        CBOR.appendHead(3, UInt64(SequenceNumber.digits), to: &bytes)
        record.number.appendDecimal(to: &bytes)
        CBOR.appendName("ApproximateArrivalTimestamp", to: &bytes)
        CBOR.append(timestamp: record.arrivalMilliseconds, to: &bytes)
        if !record.key.isEmpty {
            CBOR.appendName("PartitionKey", to: &bytes)
            CBOR.appendText(record.key.assumingMemoryBound(to: UInt8.self), to: &bytes)
        }
        CBOR.appendName("Data", to: &bytes)
        CBOR.append(blob: record.data, to: &bytes)
        if record.isEncrypted {
            CBOR.appendName("EncryptionType", to: &bytes)
            CBOR.appendText("KMS", to: &bytes)
        }
        bytes.append(CBOR.end)
    }
}

extension [UInt8] {
    /// A constant's bytes.
    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
