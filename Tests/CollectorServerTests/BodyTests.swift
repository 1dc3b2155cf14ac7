import AWSProtocol
import Collector
import Testing

@testable import CollectorServer

@Suite("bodies")
struct BodyTests {
    @Test(
        "a structure or a list is sound JSON",
        arguments: [
            "{}", "[]", " { } ", #"{"a":1}"#, #"{"a":[1,-2.5e+3,true,false,null,"x\"\\\u00e9"],"b":{"c":{}}}"#,
            "[[],[]]",
            "{\"a\":\"é\"}\n",
        ]
    )
    func soundJSON(text: String) { #expect(BodySyntax.isSound(Array(text.utf8), .json)) }

    @Test(
        "anything else is not",
        arguments: [
            "", "hello", "1", "null", "\"a\"", "{", "}", "{}}", "{} {}", "[1,]", "[1", #"{"a"}"#, #"{"a":}"#,
            #"{"a":1,}"#,
            #"{a:1}"#, #"{"a":tru}"#, #"{"a":-}"#, #"{"a":1.}"#, #"{"a":1e}"#, #"{"a":"b}"#, "{\"a\":\"\n\"}",
            #"{"a":"\"#,
            "[" + String(repeating: "[", count: 200) + String(repeating: "]", count: 201),
        ]
    )
    func unsoundJSON(text: String) { #expect(!BodySyntax.isSound(Array(text.utf8), .json)) }

    @Test(
        "a map or a list is sound CBOR",
        arguments: [
            [0xA0], [0xBF, 0xFF], [0x80], [0x9F, 0xFF], [0xA1, 0x61, 0x61, 0x01], [0xBF, 0x61, 0x61, 0x41, 0x00, 0xFF],
            [0xC1, 0xA0], [0xD9, 0xD9, 0xF7, 0xA0], [0xA1, 0x61, 0x61, 0x5F, 0x41, 0x01, 0x41, 0x02, 0xFF],
            [0xA1, 0x61, 0x74, 0xC1, 0x1B, 0, 0, 1, 2, 3, 4, 5, 6], [0x81, 0xFB, 1, 2, 3, 4, 5, 6, 7, 8], [0x81, 0xF6],
        ] as [[UInt8]]
    )
    func soundCBOR(bytes: [UInt8]) {
        #expect(BodySyntax.isSound(bytes, .cbor))
        #expect(throws: Never.self) { try JSONValue(parsingCBOR: bytes) }
    }

    @Test(
        "anything else is not",
        arguments: [
            [], [0x01], [0x61, 0x61], [0xA1], [0xA1, 0x61, 0x61], [0xBF, 0x61, 0x61, 0xFF], [0x9F], [0xA0, 0xA0],
            [0x81, 0x1C],
            [0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            [0x81, 0x5B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], [0x81, 0x5F, 0x61, 0x61, 0xFF], [0x81, 0xFF],
            Array(repeating: 0x81, count: 200) + [0x00],
        ] as [[UInt8]]
    )
    func unsoundCBOR(bytes: [UInt8]) { #expect(!BodySyntax.isSound(bytes, .cbor)) }

    // `{"StreamName":"s"}`, in one member and in two.
    private static let members: [[UInt8]] = [
        [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 10, 46, 41, 74, 77, 204, 245, 75, 204, 77, 85, 178, 82, 42, 86,
            170, 5, 0, 41, 38, 148, 217, 18, 0, 0, 0,
        ],
        [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 10, 46, 41, 74, 77, 204, 5, 0, 147, 96, 189, 138, 8, 0, 0, 0, 31,
            139, 8, 0, 0, 0, 0, 0, 2, 3, 243, 75, 204, 77, 85, 178, 82, 42, 86, 170, 5, 0, 173, 226, 254, 206, 10, 0, 0,
            0,
        ],
    ]

    @Test("gzip is inflated up to a limit, in one member or more", arguments: members)
    func gzip(bytes: [UInt8]) throws {
        #expect(try ContentEncoding.gunzip(bytes, limit: 18) == Array(#"{"StreamName":"s"}"#.utf8))
        let error = #expect(throws: AWSError.self) { try ContentEncoding.gunzip(bytes, limit: 17) }
        #expect(error?.status == 413)
    }

    @Test("damaged, cut or other bytes are refused", arguments: members)
    func damaged(bytes: [UInt8]) throws {
        var damaged = bytes
        damaged[bytes.count - 6] ^= 1
        for wrong in [[], [1, 2, 3], Array(bytes.dropLast()), Array(bytes.prefix(10)), bytes + [0], damaged] {
            #expect(throws: AWSError("SerializationException", "")) { try ContentEncoding.gunzip(wrong, limit: 100) }
        }
    }

    @Test(
        "content types are told apart by their names alone",
        arguments: [
            ("application/x-amz-json-1.1", .json11), (" Application/X-AMZ-JSON-1.1 ; charset=utf-8", .json11),
            ("application/x-amz-json-1.0", .json10), ("application/x-amz-cbor-1.1;x", .cbor),
            ("application/json; charset=utf-8", .plainJSON), ("application/x-amz-json-1.2", .other), ("", .other),
            (nil, .other), ("text/plain", .other),
        ] as [(String?, MediaType)]
    )
    func mediaTypes(header: String?, type: MediaType) { #expect(MediaType(header) == type) }

    @Test("a request id is a UUID of version 4, and the extended one 72 bytes of base64")
    func requestIDs() throws {
        let id = RequestID.next().description
        #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        #expect(RequestID.extended().wholeMatch(of: /[A-Za-z0-9+\/]{96}/) != nil)
        #expect(RequestID.extended() != RequestID.extended())
    }
}
