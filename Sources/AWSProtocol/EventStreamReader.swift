import CChecksums

/// Reads messages out of bytes that come in pieces of any size.
///
/// After an error the stream is lost: where the next message starts is not known any more.
public struct EventStreamReader: Sendable {
    private var buffer: [UInt8] = []
    /// Where the next message starts.
    private var start = 0
    /// The next message's lengths, when they are there and their checksum holds.
    private var prelude: (length: Int, headers: Int)?

    /// Nothing read yet.
    public init() {}

    /// Bytes of an unfinished message that wait for the rest of it.
    public var pendingBytes: Int { buffer.count - start }

    /// Takes the next piece.
    public mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole message, nil when more bytes are needed. Lengths are believed only when their checksum holds.
    public mutating func next() throws(EventStreamError) -> EventStreamMessage? {
        guard let (length, headers) = try lengths(), pendingBytes >= length else { return nil }
        let message = start..<start + length
        let crc = buffer.withUnsafeBytes { millrace_crc32(0, $0.baseAddress! + message.lowerBound, length - 4) }
        guard crc == number(at: message.upperBound - 4) else { throw .messageChecksum }
        let body = message.lowerBound + EventStreamLimits.prelude
        var reader = EventStreamHeaderReader(buffer[body..<body + headers])
        let result = EventStreamMessage(
            headers: try reader.readAll(),
            payload: Array(buffer[body + headers..<message.upperBound - 4])
        )
        start = message.upperBound
        prelude = nil
        return result
    }

    private mutating func lengths() throws(EventStreamError) -> (length: Int, headers: Int)? {
        if let prelude { return prelude }
        guard pendingBytes >= EventStreamLimits.prelude else { return nil }
        let crc = buffer.withUnsafeBytes { millrace_crc32(0, $0.baseAddress! + start, 8) }
        guard crc == number(at: start + 8) else { throw .preludeChecksum }
        let (length, headers) = (Int(number(at: start)), Int(number(at: start + 4)))
        guard headers <= EventStreamLimits.headers else { throw .headersTooLarge }
        guard length >= EventStreamLimits.frame + headers else { throw .lengths }
        guard length <= EventStreamLimits.frame + headers + EventStreamLimits.payload else { throw .payloadTooLarge }
        prelude = (length, headers)
        return prelude
    }

    private func number(at offset: Int) -> UInt32 {
        buffer.withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }
}

/// Reads the headers of one message.
private struct EventStreamHeaderReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func readAll() throws(EventStreamError) -> [EventStreamMessage.Header] {
        var headers: [EventStreamMessage.Header] = []
        var names: Set<String> = []
        while !rest.isEmpty {
            let count = Int(try integer(UInt8.self))
            guard count > 0 else { throw .headerName }
            let name = try text(count)
            guard names.insert(name).inserted else { throw .duplicateHeader(name) }
            headers.append(EventStreamMessage.Header(name, try value()))
        }
        return headers
    }

    private mutating func value() throws(EventStreamError) -> EventStreamValue {
        switch try integer(UInt8.self) {
        case 0: .bool(true)
        case 1: .bool(false)
        case 2: .byte(try integer(Int8.self))
        case 3: .short(try integer(Int16.self))
        case 4: .integer(try integer(Int32.self))
        case 5: .long(try integer(Int64.self))
        case 6: .bytes(Array(try take(Int(try integer(UInt16.self)))))
        case 7: .string(try text(Int(try integer(UInt16.self))))
        case 8: .timestamp(milliseconds: try integer(Int64.self))
        case 9: .uuid(try integer(UInt128.self))
        case let type: throw .headerType(type)
        }
    }

    private mutating func take(_ count: Int) throws(EventStreamError) -> ArraySlice<UInt8> {
        guard rest.count >= count else { throw .lengths }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func text(_ count: Int) throws(EventStreamError) -> String {
        guard let text = String(validating: try take(count), as: UTF8.self) else { throw .encoding }
        return text
    }

    private mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(EventStreamError) -> T {
        var value: T = 0
        for byte in try take(MemoryLayout<T>.size) { value = value << 8 | T(truncatingIfNeeded: byte) }
        return value
    }
}
