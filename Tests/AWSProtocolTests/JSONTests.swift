import AWSProtocol
import Testing

@Suite("JSON")
struct JSONTests {
    @Test(
        "texts are read and written back the same",
        arguments: [
            #"{"a":[1,-2.5e3,"x\n\"y\"",true,false,null,{}],"b":""}"#, "[]", "0", #""é""#,
        ]
    )
    func roundTrip(text: String) throws {
        var writer = JSONWriter()
        writer.value(try JSONValue(parsing: Array(text.utf8)))
        #expect(String(decoding: writer.bytes, as: UTF8.self) == text)
    }

    @Test("escapes are resolved, surrogate pairs joined, lone ones replaced")
    func escapes() throws {
        #expect(try JSONValue(parsing: Array(#""\u0041\ud83d\ude00\/\ud800x""#.utf8)).string == "A😀/\u{FFFD}x")
    }

    @Test(
        "malformed texts are refused with the place",
        arguments: [
            "", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "01", "1.", "tru", "\"\u{01}\"", "\"a", "[1] x", "{'a':1}",
            "// c\n1",
        ]
    )
    func malformed(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test("comments are blanks where they are allowed")
    func comments() throws {
        let text = "{ // one\n \"a\": /* two */ 1 }"
        #expect(try JSONValue(parsing: Array(text.utf8), comments: true)["a"]?.integer == 1)
    }

    @Test("members know where they stand")
    func offsets() throws {
        let value = try JSONValue(parsing: Array("{\n \"a\": 1}".utf8))
        #expect(value.members?.first?.offset == 3)
    }

    @Test("deep nesting is refused, not fatal")
    func deep() {
        #expect(throws: JSONSyntaxError.self) {
            try JSONValue(parsing: Array(repeating: UInt8(ascii: "["), count: 100_000))
        }
    }

    @Test("credentials files are read with sections, comments and blanks, and mistakes name their line")
    func credentials() throws {
        let file = try CredentialsFile(
            parsing: "# c\n[default]\naws_access_key_id = A\naws_secret_access_key=s\n[profile p]\nregion = x\n",
            path: "f"
        )
        #expect(file.credentials("default") == SigningCredentials(accessKeyID: "A", secretAccessKey: "s"))
        #expect(file.profiles["p"]?["region"] == "x")
        let problem = #expect(throws: CredentialsFile.Problem.self) { try CredentialsFile(parsing: "[a\n", path: "f") }
        #expect(problem?.description.hasPrefix("f:1: ") == true)
    }
}
