import AWSProtocol
import Testing

@Suite("event stream messages")
struct EventStreamTests {
    private typealias Header = EventStreamMessage.Header

    // AWS's SDKs test themselves with these messages.
    static let vectors: [(name: String, hex: String, message: EventStreamMessage)] = [
        ("nothing", "000000100000000005c248eb7d98c8ff", EventStreamMessage()),
        (
            "a payload alone", "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936",
            EventStreamMessage(payload: Array("{'foo':'bar'}".utf8))
        ),
        (
            "a header and a payload",
            "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
                + "7b27666f6f273a27626172277d8d9c08b1",
            EventStreamMessage(
                headers: [Header("content-type", .string("application/json"))],
                payload: Array("{'foo':'bar'}".utf8)
            )
        ),
        (
            "headers of every type",
            "000000cc000000af0fae64ca0a6576656e742d74797065040000a00c0c636f6e74656e742d747970650700106170"
                + "706c69636174696f6e2f6a736f6e0a626f6f6c2066616c73650109626f6f6c207472756500046279746502cf"
                + "08627974652062756606001449276d2061206c6974746c6520746561706f74210974696d657374616d70080000"
                + "000000845fed05696e74313603002a05696e7436340500000000028757b20475756964090102030405060708"
                + "090a0b0c0d0e0f107b27666f6f273a27626172277daba5f10c",
            EventStreamMessage(
                headers: [
                    Header("event-type", .integer(40972)), Header("content-type", .string("application/json")),
                    Header("bool false", .bool(false)), Header("bool true", .bool(true)), Header("byte", .byte(-49)),
                    Header("byte buf", .bytes(Array("I'm a little teapot!".utf8))),
                    Header("timestamp", .timestamp(milliseconds: 8_675_309)), Header("int16", .short(42)),
                    Header("int64", .long(42_424_242)),
                    Header("uuid", .uuid(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10)),
                ],
                payload: Array("{'foo':'bar'}".utf8)
            )
        ),
    ]

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    private func read(_ bytes: [UInt8]) throws(EventStreamError) -> EventStreamMessage? {
        var reader = EventStreamReader()
        reader.append(bytes)
        return try reader.next()
    }

    /// A message whose lengths say anything, with both checksums right.
    private func forged(length: Int? = nil, headerLength: Int? = nil, headers: [UInt8], payload: [UInt8] = []) throws
        -> [UInt8]
    {
        // The writer makes no broken headers: they go in as a payload, and the lengths are changed behind it.
        var message = try EventStreamMessage(payload: headers + payload).encoded()
        func put(_ value: UInt32, at offset: Int) {
            withUnsafeBytes(of: value.bigEndian) { message.replaceSubrange(offset..<offset + 4, with: $0) }
        }
        put(UInt32(length ?? message.count), at: 0)
        put(UInt32(headerLength ?? headers.count), at: 4)
        put(Self.crc(message[..<8]), at: 8)
        put(Self.crc(message.dropLast(4)), at: message.count - 4)
        return message
    }

    /// Bit by bit, as RFC 1952 describes it.
    private static func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
    }

    @Test("are written and read as AWS's SDKs do", arguments: 0..<vectors.count)
    func known(index: Int) throws {
        let vector = Self.vectors[index]
        #expect(try vector.message.encoded() == bytes(vector.hex), "\(vector.name)")
        #expect(try read(bytes(vector.hex)) == vector.message, "\(vector.name)")
    }

    @Test("come out whole whatever the pieces they come in")
    func pieces() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix(seed: seed)
        for _ in 0..<200 {
            let messages = (0..<Int.random(in: 1...5, using: &random)).map { _ in random.message() }
            var rest = try messages.reduce(into: [UInt8]()) { $0 += try $1.encoded() }[...]
            var reader = EventStreamReader()
            var read: [EventStreamMessage] = []
            while !rest.isEmpty {
                let count = Int.random(in: 1...min(rest.count, 40), using: &random)
                reader.append(rest.prefix(count))
                rest = rest.dropFirst(count)
                while let message = try reader.next() { read.append(message) }
            }
            #expect(read == messages, "seed \(seed)")
            #expect(reader.pendingBytes == 0)
        }
    }

    @Test("are refused with any bit changed")
    func damage() throws {
        let whole = bytes(Self.vectors[3].hex)
        for bit in 0..<whole.count * 8 {
            var changed = whole
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: EventStreamError.self) { _ = try read(changed) }
        }
    }

    @Test("wait for their last byte, and a broken length is seen before its bytes are waited for")
    func cut() throws {
        let whole = bytes(Self.vectors[2].hex)
        for count in 0..<whole.count { #expect(try read(Array(whole[..<count])) == nil) }
        #expect(throws: EventStreamError.preludeChecksum) { _ = try read([0xFF] + whole[1..<12]) }
    }

    @Test("are refused when what they say of themselves can't be")
    func contradictions() throws {
        let tooMuch = EventStreamLimits.headers + 1
        #expect(throws: EventStreamError.lengths) { _ = try read(try forged(length: 15, headers: [])) }
        #expect(throws: EventStreamError.lengths) { _ = try read(try forged(headerLength: 9, headers: [1, 0x61, 0])) }
        #expect(throws: EventStreamError.headersTooLarge) {
            _ = try read(try forged(length: 200_000, headerLength: tooMuch, headers: []))
        }
        #expect(throws: EventStreamError.payloadTooLarge) {
            _ = try read(try forged(length: EventStreamLimits.payload + 17, headers: []))
        }
        #expect(throws: EventStreamError.headerName) { _ = try read(try forged(headers: [0, 0])) }
        #expect(throws: EventStreamError.headerType(10)) { _ = try read(try forged(headers: [1, 0x61, 10])) }
        #expect(throws: EventStreamError.encoding) { _ = try read(try forged(headers: [1, 0xFF, 0])) }
        #expect(throws: EventStreamError.duplicateHeader("a")) {
            _ = try read(try forged(headers: [1, 0x61, 0, 1, 0x61, 1]))
        }
        for cut: [UInt8] in [[5, 0x61], [1, 0x61], [1, 0x61, 4, 0, 0], [1, 0x61, 7, 0, 3, 0x61], [1, 0x61, 9, 1]] {
            #expect(throws: EventStreamError.lengths) { _ = try read(try forged(headers: cut)) }
        }
    }

    @Test("too large ones are not written")
    func limits() {
        let text = String(repeating: "x", count: 65_535)
        #expect(throws: Never.self) { _ = try EventStreamHeaders([Header("a", .string(text))]) }
        #expect(throws: EventStreamError.headersTooLarge) {
            _ = try EventStreamHeaders([Header("a", .string(text + "x"))])
        }
        #expect(throws: EventStreamError.headersTooLarge) {
            _ = try EventStreamHeaders([Header("a", .string(text)), Header("b", .string(text))])
        }
        #expect(throws: EventStreamError.headersTooLarge) {
            _ = try EventStreamHeaders([Header(String(repeating: "x", count: 256), .bool(true))])
        }
        #expect(throws: EventStreamError.headerName) { _ = try EventStreamHeaders([Header("", .bool(true))]) }
        #expect(throws: EventStreamError.payloadTooLarge) {
            _ = try EventStreamMessage(payload: Array(repeating: 0, count: EventStreamLimits.payload + 1)).encoded()
        }
    }

    @Test("a payload that can't be written leaves nothing behind")
    func failure() throws {
        struct Failure: Error {}
        var bytes: [UInt8] = [1, 2, 3]
        #expect(throws: Failure.self) {
            try EventStreamWriter.append(try EventStreamHeaders(), to: &bytes) { bytes throws(Failure) in
                bytes.append(4)
                throw Failure()
            }
        }
        #expect(bytes == [1, 2, 3])
    }
}

/// Random messages from a seed.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    mutating func value() -> EventStreamValue {
        switch Int.random(in: 0...8, using: &self) {
        case 0: .bool(Bool.random(using: &self))
        case 1: .byte(Int8.random(in: .min ... .max, using: &self))
        case 2: .short(Int16.random(in: .min ... .max, using: &self))
        case 3: .integer(Int32.random(in: .min ... .max, using: &self))
        case 4: .long(Int64.random(in: .min ... .max, using: &self))
        case 5: .bytes(bytes(upTo: 40))
        case 6: .string(String(decoding: bytes(upTo: 40), as: UTF8.self))
        case 7: .timestamp(milliseconds: Int64.random(in: .min ... .max, using: &self))
        default: .uuid(UInt128.random(in: .min ... .max, using: &self))
        }
    }

    mutating func message() -> EventStreamMessage {
        EventStreamMessage(
            headers: (0..<Int.random(in: 0...6, using: &self)).map { .init("name \($0)", value()) },
            payload: bytes(upTo: 300)
        )
    }
}
