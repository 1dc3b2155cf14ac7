import AWSProtocol
import Foundation
import RecordBatch
import Testing

@testable import StreamKeys

private let region = "eu-west-1"
private let id = "1234abcd-12ab-34cd-56ef-1234567890ab"

extension KeyRing {
    /// The code and words of the refusal; nil where the key is usable.
    func refusal(_ keyID: String) -> AWSError? {
        do throws(AWSError) {
            try resolve(keyID, region: region)
            return nil
        } catch {
            return error
        }
    }

    func key(_ keyID: String, stream: String = "s") throws(AWSError) -> FrameKey {
        try key(keyID, stream: stream, region: region)
    }

    func read(_ frame: [UInt8], stream: String = "s") throws -> [String] {
        try frame.withUnsafeBytes { bytes in
            var values: [String] = []
            let view = try FrameView(validating: bytes)
            try withRecords(of: view, stream: stream, shard: 0, region: region) { records in
                try records.forEach(from: 0) { _, _, value in
                    values.append(String(decoding: value, as: UTF8.self))
                    return true
                }
            }
            return values
        }
    }
}

func frame(_ text: String, _ key: FrameKey?) -> [UInt8] {
    var run = RecordRun(key: key, reserving: 100)
    Array(text.utf8).withUnsafeBytes { run.append(key: $0, value: $0) }
    let frame = FrameEncoder.seal(
        [run],
        shard: 0,
        baseOffset: 0,
        arrivalMilliseconds: 0,
        epoch: 0,
        source: .kinesis
    )
    return [UInt8](frame)
}

@Suite("a KeyId")
struct KeyNameTests {
    @Test(
        "is a UUID, a key ARN, an alias or an alias ARN",
        arguments: [
            (id, id), (id.uppercased(), id), ("arn:aws:kms:eu-west-1:123456789012:key/\(id)", id),
            ("alias/orders", "alias/orders"), ("alias/team/orders_2-x", "alias/team/orders_2-x"),
            ("arn:aws:kms:eu-west-1:123456789012:alias/aws/kinesis", "alias/aws/kinesis"),
            ("arn:aws-cn:kms:eu-west-1:123456789012:alias/a", "alias/a"),
            ("mrk-0123456789abcdef0123456789abcdef", "mrk-0123456789abcdef0123456789abcdef"),
        ]
    )
    func forms(text: String, name: String) throws { #expect(try KeyName(text).name == name) }

    @Test(
        "of any other form is an InvalidArgumentException",
        arguments: [
            "", "orders", "alias/", "alias//a", "alias/a/", "alias/../a", "alias/a.2", "alias/a b", "alias/ä",
            "1234abcd-12ab-34cd-56ef-1234567890a", "1234abcd12ab34cd56ef1234567890ab", "key/\(id)", "mrk-12",
            "arn:aws:kms:eu-west-1:123456789012:\(id)", "arn:aws:kms:eu-west-1:123456789012:key/alias/a",
            "arn:aws:kms:eu-west-1:1:key/\(id)", "arn:aws:s3:eu-west-1:123456789012:key/\(id)",
            "arn:aws:kms::123456789012:key/\(id)", "alias/" + String(repeating: "a", count: 251),
        ]
    )
    func others(text: String) { #expect(throws: AWSError.invalidArgument("")) { try KeyName(text) } }
}

@Suite("keys in a folder")
struct KeyFolderTests {
    @Test("are found by id and by alias, folders being parts of an alias")
    func names() throws {
        let place = try KeyPlace()
        try place.put(id, 1)
        try place.put("orders", 2)
        try place.put("aws/kinesis", 3)
        let ring = place.ring()
        let arn = "arn:aws:kms:\(region):123456789012:key/\(id)"
        for name in [id, id.uppercased(), arn, "alias/orders", "alias/aws/kinesis"] {
            #expect(ring.refusal(name) == nil, "\(name)")
        }
        #expect(ring.problems == [])
        #expect(try ring.key(id).fingerprint == ring.key(arn).fingerprint)
        #expect(try ring.key(id).fingerprint != ring.key("alias/orders").fingerprint)
    }

    @Test("may be raw bytes, hexadecimal or base64, and are the same key then")
    func contents() throws {
        let place = try KeyPlace()
        try place.put("a", 0xAB)
        try place.put("b", content: String(repeating: "aB", count: 32) + "\n")
        try place.put("c", content: " " + Data(repeating: 0xAB, count: 32).base64EncodedString() + "\n")
        let ring = place.ring()
        let prints = Set(try ["alias/a", "alias/b", "alias/c"].map { try ring.key($0).fingerprint })
        #expect(prints.count == 1)
    }

    @Test("that are missing, disabled or unreadable are answered with AWS's errors and KMS's words")
    func refusals() throws {
        let place = try KeyPlace()
        try place.put("off")
        try place.put("off.disabled", content: "")
        try place.put("short", content: "abc")
        try place.put("open", mode: 0o640)
        try place.put("world", mode: 0o602)
        let ring = place.ring()
        #expect(ring.refusal("alias/none") == AWSError("KMSNotFoundException", ""))
        #expect(
            ring.refusal("alias/none")?.message == "Alias arn:aws:kms:eu-west-1:123456789012:alias/none is not found."
        )
        #expect(ring.refusal(id)?.message == "Key 'arn:aws:kms:eu-west-1:123456789012:key/\(id)' does not exist")
        #expect(ring.refusal("alias/off") == AWSError("KMSDisabledException", ""))
        #expect(ring.refusal("alias/off")?.message == "arn:aws:kms:eu-west-1:123456789012:alias/off is disabled.")
        for name in ["short", "open", "world"] {
            #expect(ring.refusal("alias/" + name) == AWSError("KMSAccessDeniedException", ""), "\(name)")
            #expect(ring.refusal("alias/" + name)?.status == 400)
        }
        #expect(ring.problems.count == 3)
        #expect(ring.problems.contains { $0.contains("open: mode 0640") && $0.contains("chmod 600") })
    }

    @Test("of another region or account are not found here")
    func foreign() throws {
        let place = try KeyPlace()
        try place.put(id)
        let ring = place.ring()
        for arn in ["arn:aws:kms:us-east-1:123456789012:key/\(id)", "arn:aws:kms:eu-west-1:999999999999:key/\(id)"] {
            #expect(ring.refusal(arn)?.message == "Key '\(arn)' does not exist")
        }
    }

    @Test("that don't look like keys are told of and left alone")
    func strangers() throws {
        let place = try KeyPlace()
        try place.put("orders")
        try place.put("orders.0")
        try place.put("orders.old")
        try place.put("read me", content: "text")
        try place.put(".hidden", content: "text")
        let ring = place.ring()
        #expect(ring.refusal("alias/orders") == nil)
        #expect(ring.problems.count == 3)
    }

    @Test("whose version is given twice can't be written with until one is removed")
    func twice() throws {
        let place = try KeyPlace()
        try place.put("orders", 1)
        try place.put("orders.1", 2)
        let ring = place.ring()
        #expect(ring.refusal("alias/orders") == AWSError("KMSAccessDeniedException", ""))
        try place.remove("orders.1")
        #expect(ring.refusal("alias/orders") == nil)
    }

    @Test("that can't be read at all are unreadable, not missing, and are back when the folder is")
    func folderGone() throws {
        let place = try KeyPlace()
        try place.put("keys/orders")
        let ring = place.ring(.kept(path: place.path + "/keys"))
        let sealed = frame("x", try ring.key("alias/orders"))
        try FileManager.default.moveItem(atPath: place.path + "/keys", toPath: place.path + "/away")
        #expect(ring.refusal("alias/orders") == AWSError("KMSAccessDeniedException", ""))
        #expect(throws: AWSError("KMSAccessDeniedException", "")) { try ring.read(sealed) }
        try FileManager.default.moveItem(atPath: place.path + "/away", toPath: place.path + "/keys")
        place.pass(1000)
        #expect(try ring.read(sealed) == ["x"])
    }
}

@Suite("the service key")
struct ServiceKeyTests {
    @Test("is made where it is first asked for, for its owner alone, and stays the same")
    func made() throws {
        let place = try KeyPlace()
        let folder = place.path + "/data/keys"
        let ring = place.ring(.own(folder: folder))
        #expect(throws: AWSError("KMSNotFoundException", "")) { try ring.key("alias/aws/kinesis") }
        #expect(!FileManager.default.fileExists(atPath: folder))
        #expect(ring.refusal("alias/aws/kinesis") == nil)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/aws/kinesis")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/aws") == ["kinesis"])
        let first = try ring.key("alias/aws/kinesis").fingerprint
        #expect(ring.refusal("arn:aws:kms:\(region):123456789012:alias/aws/kinesis") == nil)
        #expect(try place.ring(.own(folder: folder)).key("alias/aws/kinesis").fingerprint == first)
        #expect(ring.refusal("alias/other") == AWSError("KMSNotFoundException", ""))
    }

    @Test("is not made by a put: one that is lost stays lost until its file is back")
    func lost() throws {
        let place = try KeyPlace()
        let ring = place.ring(.own(folder: place.path))
        #expect(ring.refusal("alias/aws/kinesis") == nil)
        try place.remove("aws/kinesis")
        place.pass(1000)
        #expect(throws: AWSError("KMSNotFoundException", "")) { try ring.key("alias/aws/kinesis") }
        #expect(!FileManager.default.fileExists(atPath: place.path + "/aws/kinesis"))
    }

    @Test("is not made in a folder that somebody else keeps")
    func kept() throws {
        let ring = try KeyPlace().ring()
        #expect(ring.refusal("alias/aws/kinesis") == AWSError("KMSNotFoundException", ""))
    }
}

@Suite("keys in use")
struct KeyUseTests {
    @Test("a stream keeps its data key, and no two streams, processes or versions share one")
    func dataKeys() throws {
        let place = try KeyPlace()
        try place.put("orders", 1)
        let ring = place.ring()
        let first = try ring.key("alias/orders")
        #expect(try ring.key("alias/orders") === first)
        let others = [try ring.key("alias/orders", stream: "t"), try place.ring().key("alias/orders")]
        try place.put("orders.2", 2)
        place.pass(1000)
        let second = try ring.key("alias/orders")
        #expect(Set(([first, second] + others).map(\.salt)).count == 4)
        #expect(second.fingerprint != first.fingerprint)
    }

    @Test("a new version writes within a second and the old ones still read; a removed one is missed until it is back")
    func rotation() throws {
        let place = try KeyPlace()
        try place.put("orders", 1)
        let ring = place.ring()
        let old = frame("old", try ring.key("alias/orders"))
        try place.put("orders.10", 3)
        try place.put("orders.9", 2)
        #expect(try ring.key("alias/orders").fingerprint == RootKey([UInt8](repeating: 1, count: 32))?.fingerprint)
        place.pass(1000)
        let new = frame("new", try ring.key("alias/orders"))
        #expect(try ring.key("alias/orders").fingerprint == RootKey([UInt8](repeating: 3, count: 32))?.fingerprint)
        #expect(try ring.read(old) == ["old"] && ring.read(new) == ["new"] && ring.read(frame("p", nil)) == ["p"])
        try place.remove("orders")
        place.pass(1000)
        #expect(throws: AWSError("KMSNotFoundException", "")) { try ring.read(old) }
        #expect(try ring.read(new) == ["new"])
        try place.put("kept-elsewhere", 1)
        place.pass(100)
        #expect(try ring.read(old) == ["old"], "a key is known by its bits, whatever its file's name")
    }

    @Test("a disabled key neither writes nor reads until it is enabled again")
    func disabling() throws {
        let place = try KeyPlace()
        try place.put("orders", 1)
        let ring = place.ring()
        let sealed = frame("x", try ring.key("alias/orders"))
        try place.put("orders.disabled", content: "")
        place.pass(1000)
        #expect(throws: AWSError("KMSDisabledException", "")) { try ring.key("alias/orders") }
        #expect(throws: AWSError("KMSDisabledException", "")) { try ring.read(sealed) }
        try place.remove("orders.disabled")
        place.pass(100)
        #expect(try ring.read(sealed) == ["x"])
        #expect(try !ring.key("alias/orders").name.isEmpty)
    }

    @Test("a newest version that can't be used stops writing: nothing is written with an older one in its place")
    func badVersion() throws {
        let place = try KeyPlace()
        try place.put("orders", 1)
        let ring = place.ring()
        let sealed = frame("x", try ring.key("alias/orders"))
        try place.put("orders.2", content: "half a ke")
        place.pass(1000)
        #expect(throws: AWSError("KMSAccessDeniedException", "")) { try ring.key("alias/orders") }
        #expect(try ring.read(sealed) == ["x"])
        try place.put("orders.2", 2)
        place.pass(100)
        #expect(try ring.key("alias/orders").fingerprint == RootKey([UInt8](repeating: 2, count: 32))?.fingerprint)
    }

    @Test("a file that is replaced is another key")
    func replaced() throws {
        let place = try KeyPlace()
        try place.put("orders", 1)
        let ring = place.ring()
        let sealed = frame("x", try ring.key("alias/orders"))
        try place.put("orders", 2)
        place.pass(1000)
        #expect(throws: AWSError("KMSNotFoundException", "")) { try ring.read(sealed) }
    }

    @Test("another stream's frame is not opened, whoever has its key")
    func otherStream() throws {
        let place = try KeyPlace()
        try place.put("orders", 1)
        let ring = place.ring()
        let sealed = frame("x", try ring.key("alias/orders"))
        #expect(throws: FrameError.authentication) { try ring.read(sealed, stream: "t") }
    }
}

@Suite("keys in a JSON file")
struct KeyFileTests {
    private let hex = String(repeating: "01", count: 32)
    private let base64 = Data(repeating: 2, count: 32).base64EncodedString()

    @Test("have versions, the last of which writes, and may be disabled")
    func keys() throws {
        let place = try KeyPlace()
        let text = """
            // the team's keys
            { "alias/orders": { "versions": ["\(hex)", "\(base64)"] },
              "\(id)": { "versions": ["\(hex)"], "disabled": true } }
            """
        try place.put("keys.json", content: text)
        let ring = place.ring(.kept(path: place.path + "/keys.json"))
        #expect(ring.problems == [])
        #expect(try ring.key("alias/orders").fingerprint == RootKey([UInt8](repeating: 2, count: 32))?.fingerprint)
        let old = FrameKey(RootKey([UInt8](repeating: 1, count: 32))!, name: "alias/orders", stream: "s", salt: 5)
        #expect(try ring.read(frame("old", old)) == ["old"])
        #expect(ring.refusal(id) == AWSError("KMSDisabledException", ""))
        try place.put("keys.json", content: #"{ "alias/orders": { "versions": ["\#(hex)"] } }"#)
        place.pass(1000)
        #expect(try ring.key("alias/orders").fingerprint == RootKey([UInt8](repeating: 1, count: 32))?.fingerprint)
    }

    @Test("with a mistake are none at all, and the mistake is told with its place, without what stands there")
    func mistakes() throws {
        let place = try KeyPlace()
        let text = """
            { "alias/a": { "versions": "\(hex)" },
              "orders": { "versions": ["\(hex)"] },
              "alias/b": { "versions": ["\(hex)x"] , "state": 1 },
              "alias/c": { "disabled": "no" } }
            """
        try place.put("keys.json", content: text)
        let ring = place.ring(.kept(path: place.path + "/keys.json"))
        let told = ring.problems.joined(separator: "\n")
        for words in [
            ":1: alias/a.versions: expected a list", ":2: orders: is no key's name",
            ":3: alias/b.versions[0]: is no key",
            ":3: alias/b.state: expected", ":4: alias/c: has no `versions`",
            ":4: alias/c.disabled: expected true or false",
        ] {
            #expect(told.contains(words), "\(told)")
        }
        #expect(!told.contains("0101"))
        #expect(ring.refusal("alias/b") == AWSError("KMSAccessDeniedException", ""))
        try place.put("keys.json", content: #"{ "alias/b": { "versions": ["\#(hex)"] } }"#, mode: 0o644)
        #expect(ring.refusal("alias/b") == AWSError("KMSAccessDeniedException", ""))
        try place.put("keys.json", content: #"{ "alias/b": { "versions": ["\#(hex)"] } }"#)
        #expect(ring.refusal("alias/b") == nil)
    }
}
