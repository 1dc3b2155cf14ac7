import CChecksums

/// Headers in their encoding: those of a stream's events are always the same, and are encoded once.
public struct EventStreamHeaders: Sendable, Equatable {
    /// Their encoding.
    public private(set) var bytes: [UInt8] = []

    /// Encodes headers. Throws `headerName`, `duplicateHeader` and `headersTooLarge`.
    public init(_ headers: [EventStreamMessage.Header] = []) throws(EventStreamError) {
        var names: Set<String> = []
        for header in headers {
            guard names.insert(header.name).inserted else { throw .duplicateHeader(header.name) }
            try append(header)
        }
    }

    /// Encodes strings that are known to be short, and their names to differ.
    public init(texts: KeyValuePairs<String, String>) {
        for (name, text) in texts {
            precondition(!name.isEmpty && name.utf8.count <= 255 && text.utf8.count <= 1024)
            bytes.append(UInt8(name.utf8.count))
            bytes += name.utf8
            append(7, UInt16(text.utf8.count))
            bytes += text.utf8
        }
    }

    private mutating func append(_ header: EventStreamMessage.Header) throws(EventStreamError) {
        let name = header.name.utf8
        guard !name.isEmpty else { throw .headerName }
        guard name.count <= 255 else { throw .headersTooLarge }
        bytes.append(UInt8(name.count))
        bytes += name
        switch header.value {
        case .bool(let truth): bytes.append(truth ? 0 : 1)
        case .byte(let value): append(2, value)
        case .short(let value): append(3, value)
        case .integer(let value): append(4, value)
        case .long(let value): append(5, value)
        case .bytes(let value): try append(6, value)
        case .string(let value): try append(7, value.utf8)
        case .timestamp(let milliseconds): append(8, milliseconds)
        case .uuid(let value): append(9, value)
        }
        guard bytes.count <= EventStreamLimits.headers else { throw .headersTooLarge }
    }

    private mutating func append(_ type: UInt8, _ value: some FixedWidthInteger) {
        bytes.append(type)
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }

    private mutating func append(_ type: UInt8, _ value: some Collection<UInt8>) throws(EventStreamError) {
        guard let count = UInt16(exactly: value.count) else { throw .headersTooLarge }
        append(type, count)
        bytes += value
    }
}

/// Writes messages behind each other into one piece of memory.
public enum EventStreamWriter {
    /// Appends a message whose payload `body` writes in place, behind what stands in its buffer already. When it throws,
    /// nothing was appended. The payload is at most `EventStreamLimits.payload` bytes.
    public static func append<Failure: Error>(
        _ headers: EventStreamHeaders,
        to bytes: inout [UInt8],
        payload body: (inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: EventStreamLimits.prelude))
        bytes += headers.bytes
        do throws(Failure) {
            try body(&bytes)
        } catch {
            // Whoever moves the bytes away to write them may have lost them.
            if bytes.count > start { bytes.removeSubrange(start...) }
            throw error
        }
        let length = bytes.count - start + 4
        // Whoever writes payloads knows their limit.
        precondition(length - EventStreamLimits.frame - headers.bytes.count <= EventStreamLimits.payload)
        bytes.append(contentsOf: repeatElement(0, count: 4))
        bytes.withUnsafeMutableBytes { all in
            let message = UnsafeMutableRawBufferPointer(rebasing: all[start...])
            func put(_ value: UInt32, at offset: Int) {
                message.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
            }
            put(UInt32(length), at: 0)
            put(UInt32(headers.bytes.count), at: 4)
            put(millrace_crc32(0, message.baseAddress, 8), at: 8)
            put(millrace_crc32(0, message.baseAddress, length - 4), at: length - 4)
        }
    }
}

extension EventStreamMessage {
    /// The message's bytes. Throws `headerName`, `duplicateHeader`, `headersTooLarge` and `payloadTooLarge`.
    public func encoded() throws(EventStreamError) -> [UInt8] {
        let headers = try EventStreamHeaders(headers)
        guard payload.count <= EventStreamLimits.payload else { throw .payloadTooLarge }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(EventStreamLimits.frame + headers.bytes.count + payload.count)
        EventStreamWriter.append(headers, to: &bytes) { $0 += payload }
        return bytes
    }
}
