import AWSProtocol
import Collector

extension FuzzTarget {
    /// JSON as a tree: what is read is written, and read again as the same. The checker of bodies takes what the tree takes.
    static let jsonTree = FuzzTarget(
        name: "json-tree",
        seeds: [
            #"{"a":[1,-2.5e3,true,false,null,{"b":"x\n\"\u00e9\ud83d\ude00"}],"":""}"#, "[]", "0", #""\ud800""#,
            "{ // one\n \"a\": /* two */ 1 }",
        ].map { Array($0.utf8) },
        words: ["true", "false", "null", "\\u00", "\\ud83d", "\\ude00", "//", "/*", "*/", "1e9", "-0"]
    ) { bytes in
        let body = Array(bytes)
        _ = try? JSONValue(parsing: body, comments: true)
        let tree = try? JSONValue(parsing: body)
        let isContainer = tree.map { $0.members != nil || $0.array != nil } ?? false
        require(BodySyntax.isSound(body, .json) == isContainer, "the checker and the tree disagree")
        guard let tree else { return }
        var writer = JSONWriter()
        writer.value(tree)
        guard let again = try? JSONValue(parsing: writer.bytes) else { fatalError("what was written can't be read") }
        require(isEqual(tree, again), "what was written says something else")
    }

    /// CBOR as a tree, in the same way.
    static let cborTree = FuzzTarget(
        name: "cbor-tree",
        seeds: [
            [
                0xBF, 0x61, 0x61, 0x9F, 0x01, 0x38, 0x63, 0xFB, 0x3F, 0xF1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A, 0xFF,
                0xFF,
            ],
            [
                0xA2, 0x61, 0x62, 0x5F, 0x41, 0x01, 0x42, 0x02, 0x03, 0xFF, 0x7F, 0x61, 0x63, 0xFF, 0xC1, 0x1A, 0, 0, 1,
                0,
            ],
            [0x84, 0xF4, 0xF5, 0xF6, 0xF7], [0xF9, 0x3C, 0x00], [0xFA, 0x47, 0xC3, 0x50, 0x00], [0xD8, 0x18, 0x40],
            [0x3B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ],
        words: []
    ) { bytes in
        let body = Array(bytes)
        let tree = try? JSONValue(parsingCBOR: body)
        let isContainer = tree.map { $0.members != nil || $0.array != nil } ?? false
        require(BodySyntax.isSound(body, .cbor) == isContainer, "the checker and the tree disagree")
        guard let tree else { return }
        var written: [UInt8] = []
        CBOR.append(tree, to: &written)
        guard let again = try? JSONValue(parsingCBOR: written) else { fatalError("what was written can't be read") }
        require(isEqual(tree, again), "what was written says something else")
        var writer = JSONWriter()
        writer.value(tree)
        require((try? JSONValue(parsing: writer.bytes)) != nil, "its JSON can't be read")
    }

    /// Places of members do not count, nor how a number is written.
    private static func isEqual(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.array(let one), .array(let other)):
            one.count == other.count && zip(one, other).allSatisfy { isEqual($0, $1) }
        case (.object(let one), .object(let other)):
            one.count == other.count && zip(one, other).allSatisfy { $0.name == $1.name && isEqual($0.value, $1.value) }
        case (.number(let one), .number(let other)): one == other || Double(one) == Double(other)
        default: one == other
        }
    }
}
