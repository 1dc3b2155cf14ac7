import AWSProtocol
import Testing

@Suite("CBOR")
struct CBORTests {
    private static func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.utf8.count, by: 2).compactMap { at in
            UInt8(hex.dropFirst(at).prefix(2), radix: 16)
        }
    }

    @Test(
        "the examples of RFC 8949, appendix A, that an AWS request can hold are read",
        arguments: [
            ("00", "0"), ("01", "1"), ("0a", "10"), ("17", "23"), ("1818", "24"), ("1819", "25"), ("1864", "100"),
            ("1903e8", "1000"), ("1a000f4240", "1000000"), ("1b000000e8d4a51000", "1000000000000"),
            ("1bffffffffffffffff", "18446744073709551615"), ("3bffffffffffffffff", "-18446744073709551616"),
            ("20", "-1"),
            ("29", "-10"), ("3863", "-100"), ("3903e7", "-1000"), ("f90000", "0.0"), ("f98000", "-0.0"),
            ("f93c00", "1.0"),
            ("fb3ff199999999999a", "1.1"), ("f93e00", "1.5"), ("f97bff", "65504.0"), ("fa47c35000", "100000.0"),
            ("fa7f7fffff", "3.4028234663852886e+38"), ("fb7e37e43c8800759c", "1e+300"),
            ("f90001", "5.960464477539063e-08"),
            ("f90400", "6.103515625e-05"), ("f9c400", "-4.0"), ("fbc010666666666666", "-4.1"),
            ("c11a514b67b0", "1363896240"),
            ("c1fb41d452d9ec200000", "1363896240.5"), ("f4", "false"), ("f5", "true"), ("f6", "null"), ("f7", "null"),
            ("60", #""""#), ("6161", #""a""#), ("6449455446", #""IETF""#), ("62225c", #""\"\\""#), ("62c3bc", #""ü""#),
            ("63e6b0b4", #""水""#), ("64f0908591", #""𐅑""#), ("80", "[]"), ("83010203", "[1,2,3]"),
            ("8301820203820405", "[1,[2,3],[4,5]]"),
            (
                "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
                "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"
            ),
            ("a0", "{}"), ("a26161016162820203", #"{"a":1,"b":[2,3]}"#), ("826161a161626163", #"["a",{"b":"c"}]"#),
            ("a56161614161626142616361436164614461656145", #"{"a":"A","b":"B","c":"C","d":"D","e":"E"}"#),
            ("7f657374726561646d696e67ff", #""streaming""#), ("9fff", "[]"),
            ("9f018202039f0405ffff", "[1,[2,3],[4,5]]"),
            ("9f01820203820405ff", "[1,[2,3],[4,5]]"), ("83018202039f0405ff", "[1,[2,3],[4,5]]"),
            ("83019f0203ff820405", "[1,[2,3],[4,5]]"), ("bf61610161629f0203ffff", #"{"a":1,"b":[2,3]}"#),
            ("826161bf61626163ff", #"["a",{"b":"c"}]"#), ("bf6346756ef563416d7421ff", #"{"Fun":true,"Amt":-2}"#),
            ("c074323031332d30332d32315432303a30343a30305a", #""2013-03-21T20:04:00Z""#),
            ("d818456449455446", #""ZElFVEY=""#), ("40", #""""#), ("4401020304", #""AQIDBA==""#),
            ("5f42010243030405ff", #""AQIDBAU=""#),
        ]
    )
    func examples(hex: String, json: String) throws {
        var writer = JSONWriter()
        writer.value(try JSONValue(parsingCBOR: Self.bytes(hex)))
        #expect(String(decoding: writer.bytes, as: UTF8.self) == json)
    }

    @Test(
        "its other examples are refused: numbers that are not finite, keys that are no text, unknown simple values",
        arguments: ["f97c00", "f97e00", "f9fc00", "fa7f800000", "fb7ff8000000000000", "a201020304", "f0", "f8ff"]
    )
    func refused(hex: String) {
        #expect(throws: CBORSyntaxError.self) { try JSONValue(parsingCBOR: Self.bytes(hex)) }
    }

    @Test(
        "whole numbers, times and strings are written in their shortest form",
        arguments: [
            (0, "00"), (23, "17"), (24, "1818"), (255, "18ff"), (256, "190100"), (65_535, "19ffff"),
            (65_536, "1a00010000"),
            (4_294_967_295, "1affffffff"), (4_294_967_296, "1b0000000100000000"), (Int64.max, "1b7fffffffffffffff"),
            (-1, "20"),
            (-24, "37"), (-25, "3818"), (Int64.min, "3b7fffffffffffffff"),
        ]
    )
    func integers(value: Int64, hex: String) throws {
        var bytes: [UInt8] = []
        CBOR.append(value, to: &bytes)
        #expect(bytes == Self.bytes(hex))
        bytes = []
        CBOR.append(timestamp: value, to: &bytes)
        #expect(bytes == [0xC1] + Self.bytes(hex))
        #expect(try JSONValue(parsingCBOR: bytes) == .number("\(value)"))
    }

    // MARK: - Random trees

    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
            return mixed ^ mixed >> 31
        }
    }

    private func text(_ random: inout Random) -> String {
        let scalars: [Unicode.Scalar] = [
            "a", "Z", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "é", "€", "😀", "\u{7F}", "\u{2028}",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0...40, using: &random) {
            text.unicodeScalars.append(scalars[Int.random(in: 0..<scalars.count, using: &random)])
        }
        return text
    }

    private func tree(_ random: inout Random, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 5 ? 5 : 7), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2:
            return .number(
                "\(Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0..<64, using: &random))"
            )
        case 3: return .number("\(Double.random(in: -1e9...1e9, using: &random) + 0.5)")
        case 4: return .string(text(&random))
        case 5: return .array((0..<Int.random(in: 0...30, using: &random)).map { _ in tree(&random, depth: depth + 2) })
        default:
            return .object(
                (0..<Int.random(in: 0...30, using: &random)).map { _ in
                    JSONValue.Member(text(&random), tree(&random, depth: depth + 2))
                }
            )
        }
    }

    @Test("any tree comes back the same from JSON, from CBOR and from one through the other")
    func roundTrips() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = Random(state: seed)
        for _ in 0..<300 {
            let value = tree(&random, depth: 0)
            var writer = JSONWriter()
            writer.value(value)
            let read = try JSONValue(parsing: writer.bytes)
            #expect(isEqual(read, value), "seed \(seed)")
            var cbor: [UInt8] = []
            CBOR.append(read, to: &cbor)
            #expect(isEqual(try JSONValue(parsingCBOR: cbor), value), "seed \(seed)")
            var answer = AnswerWriter(.cbor)
            answer.value(value)
            #expect(answer.bytes == cbor, "seed \(seed)")
        }
    }

    /// Members' places in the text do not count.
    private func isEqual(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.array(let one), .array(let other)):
            one.count == other.count && zip(one, other).allSatisfy { isEqual($0, $1) }
        case (.object(let one), .object(let other)):
            one.count == other.count && zip(one, other).allSatisfy { $0.name == $1.name && isEqual($0.value, $1.value) }
        default: one == other
        }
    }
}
