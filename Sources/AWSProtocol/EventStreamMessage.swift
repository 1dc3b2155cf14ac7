// One message of `application/vnd.amazon.eventstream`, all numbers big-endian:
//
//      0 u32 length of the message       12 headers, one behind the other
//      4 u32 length of the headers          payload
//      8 u32 CRC-32 of bytes 0..<8          u32 CRC-32 of everything before
//
// A header: u8 length of the name | name in UTF-8 | u8 type | value.
//
//      0 true            3 short   2 bytes    6 bytes      u16 length | bytes    9 uuid   16 bytes
//      1 false           4 integer 4 bytes    7 string     u16 length | UTF-8
//      2 byte  1 byte    5 long    8 bytes    8 timestamp  8 bytes, milliseconds since 1970
//
// Source: "Event stream encoding" in the Amazon Transcribe Developer Guide; the checksum is that of gzip (RFC 1952).

/// One message of an event stream.
public struct EventStreamMessage: Sendable, Equatable {
    /// A name with a value.
    public struct Header: Sendable, Equatable {
        /// 1 to 255 bytes.
        public var name: String
        /// Of any type.
        public var value: EventStreamValue

        /// A header.
        public init(_ name: String, _ value: EventStreamValue) {
            self.name = name
            self.value = value
        }
    }

    /// In the order in which they were sent; every name once.
    public var headers: [Header]
    /// Opaque.
    public var payload: [UInt8]

    /// A message.
    public init(headers: [Header] = [], payload: [UInt8] = []) {
        self.headers = headers
        self.payload = payload
    }

    /// A header's value.
    public subscript(_ name: String) -> EventStreamValue? { headers.first { $0.name == name }?.value }

    /// A header's text; nil where it is missing or of another type.
    public func text(_ name: String) -> String? {
        if case .string(let text)? = self[name] { text } else { nil }
    }
}

/// The value of a header.
public enum EventStreamValue: Sendable, Equatable {
    /// Types 0 and 1.
    case bool(Bool)
    /// Type 2.
    case byte(Int8)
    /// Type 3.
    case short(Int16)
    /// Type 4.
    case integer(Int32)
    /// Type 5.
    case long(Int64)
    /// Type 6, at most 65,535 bytes.
    case bytes([UInt8])
    /// Type 7, at most 65,535 bytes of UTF-8.
    case string(String)
    /// Type 8, in milliseconds since 1970.
    case timestamp(milliseconds: Int64)
    /// Type 9, read big-endian.
    case uuid(UInt128)
}

/// Why bytes are no message, or why a message can't be written.
public enum EventStreamError: Error, Sendable, Equatable {
    /// The first checksum does not fit the lengths.
    case preludeChecksum
    /// The last checksum does not fit what stands before it.
    case messageChecksum
    /// The lengths contradict each other, or a header runs over the end of the headers.
    case lengths
    /// The headers are larger than `EventStreamLimits.headers`, or one of them is larger than its length can say.
    case headersTooLarge
    /// The payload is larger than `EventStreamLimits.payload`.
    case payloadTooLarge
    /// A header without a name.
    case headerName
    /// A header's name stands there twice.
    case duplicateHeader(String)
    /// No type that AWS has.
    case headerType(UInt8)
    /// A name or a string that is not UTF-8.
    case encoding
}

/// What a message may hold at most.
public enum EventStreamLimits {
    /// Bytes of all headers: 128 KiB.
    public static let headers = 128 * 1024
    /// Bytes of the payload: 16 MiB.
    public static let payload = 16 * 1024 * 1024
    /// Bytes of the two lengths and their checksum.
    static let prelude = 12
    /// Bytes around headers and payload.
    static let frame = prelude + 4
}
