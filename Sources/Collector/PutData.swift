import AWSProtocol
import CChecksums
import RecordBatch

/// The data of scanned records: base64 texts in JSON, bytes in CBOR.
extension PutBody {
    /// Bytes of data that a record has, told from the text's length alone: exact where the text is base64 at all.
    func dataCount(_ entry: PutEntry, _ bytes: PutBytes) -> Int {
        switch format {
        case .json: Base64.decodedCount(bytes[entry.data]) ?? 0
        case .cbor: Int(entry.data.count)
        }
    }

    /// Adds a record to a run, its data decoded straight into it. Throws `SerializationException`.
    func append(_ entry: PutEntry, _ bytes: PutBytes, to run: inout RecordRun) throws(AWSError) {
        let key = UnsafeRawBufferPointer(bytes[entry.partitionKey])
        let data = bytes[entry.data]
        guard format == .json else {
            run.append(key: key, value: UnsafeRawBufferPointer(data))
            return
        }
        guard let count = Base64.decodedCount(data) else { throw Self.noBlob(data) }
        try run.append(key: key, valueCount: count) { target throws(AWSError) in
            let target = target.assumingMemoryBound(to: UInt8.self).baseAddress
            guard millrace_base64_decode(data.baseAddress, data.count, target) == count else { throw Self.noBlob(data) }
        }
    }

    /// Throws unless every record's data is base64. Puts that succeed have found that out by decoding; of those that fail, AWS
    /// names wrong types before anything else.
    func checkBlobs(_ body: [UInt8]) throws(AWSError) {
        guard format == .json else { return }
        var scratch: [UInt8] = []
        try withBytes(body) { bytes throws(AWSError) in
            for entry in entries {
                let data = bytes[entry.data]
                if scratch.count < data.count { scratch = Array(repeating: 0, count: data.count) }
                let isBlob = scratch.withUnsafeMutableBufferPointer { scratch in
                    millrace_base64_decode(data.baseAddress, data.count, scratch.baseAddress) >= 0
                }
                if !isBlob { throw Self.noBlob(data) }
            }
        }
    }

    /// Lends what the entries' strings are made of.
    func withBytes<Result>(
        _ body: [UInt8],
        _ use: (PutBytes) throws(AWSError) -> Result
    ) throws(AWSError) -> Result {
        try body.withUnsafeBufferPointer { body throws(AWSError) in
            try copies.withUnsafeBufferPointer { copies throws(AWSError) in
                try use(PutBytes(body: body, copies: copies))
            }
        }
    }

    /// AWS shows the text; of a long one its beginning is enough to find it by.
    private static func noBlob(_ text: UnsafeBufferPointer<UInt8>) -> AWSError {
        let string = String(decoding: text, as: UTF8.self)
        let shown = string.count > 64 ? String(string.prefix(64)) + "..." : string
        return .serialization("'\(shown)' can not be converted to a Blob: \(Self.mistake(in: string))")
    }

    private static func mistake(in text: String) -> String {
        let length = text.utf16.count
        if length % 4 != 0 {
            return "Base64 encoded length is expected a multiple of 4 bytes but found: \(length)"
        }
        var padding = false
        for character in text {
            if character == "=" {
                padding = true
            } else if padding {
                return "Invalid Base64 character: '='"
            } else if !isBase64(character) {
                return "Invalid Base64 character: '\(character)'"
            }
        }
        return "Invalid last non-pad Base64 character dectected"
    }

    private static func isBase64(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber) || character == "+" || character == "/"
    }
}
