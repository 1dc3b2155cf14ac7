import Testing

@Suite("the layers of the design")
struct LayerTests {
    @Test("every import under Sources goes downwards and stays where it may")
    func importsGoDownwards() throws {
        let files = try SourceTree.files().filter { $0.path.hasSuffix(".swift") }
        #expect(files.count > 20, "the source tree was not found")
        let violations = files.flatMap { LayerRules.importViolations(in: $0.text, of: $0.target, file: $0.path) }
        #expect(violations == [])
    }

    @Test("every target of the manifest and every folder under Sources is in the table")
    func everyTargetIsInTheTable() throws {
        // The fuzzer stands among the tests.
        let declared = LayerRules.targets(ofManifest: try SourceTree.manifest()).subtracting(["Fuzz"])
        #expect(declared.contains("StreamModel") && declared.contains("millrace-collector"))
        #expect(declared.subtracting(LayerTable.layers.keys) == [])
        #expect(try SourceTree.targetFolders().subtracting(declared) == [])
    }

    @Test("no file under Sources is over 500 lines or holds a word that marks unfinished work")
    func filesAreFinished() throws {
        let violations = try SourceTree.files().flatMap { LayerRules.textViolations(in: $0.text, file: $0.path) }
        #expect(violations == [])
    }
}

@Suite("the checker can fail")
struct LayerRulesTests {
    @Test(
        "a made-up violation is found",
        arguments: [
            ("StreamModel", "import Collector"),
            ("ShardLog", "import RecordBatch"),
            ("Collector", "import Delivery"),
            ("Agent", "@testable import Consumer"),
            ("EmbeddedState", "@_exported public import LeaseTable"),
            ("Collector", "import NIOCore"),
            ("Agent", "import AsyncHTTPClient"),
            ("Collector", "import GRDB"),
            ("CollectorServer", "import EmbeddedLog"),
            ("DiskIO", "import Foundation"),
            ("AWSClient", "import struct Foundation.Data"),
            ("StreamModel", "import Glibc; import Foundation"),
            ("Nowhere", "import Glibc"),
        ]
    )
    func madeUpViolation(target: String, text: String) {
        #expect(LayerRules.importViolations(in: text, of: target, file: "x.swift").count == 1)
    }

    @Test(
        "what the design allows passes",
        arguments: [
            ("Delivery", "import Collector\nimport SinkFiles\n"),
            ("AWSProtocol", "import CChecksums"),
            ("AWSClient", "import AsyncHTTPClient\nimport NIOCore\nimport KinesisTypes"),
            ("Agent", "import GRDB"),
            ("millrace-collector", "import EmbeddedLog\nimport EmbeddedState\nimport CollectorServer"),
            ("DiskIO", "import FoundationEssentials"),
            ("DiskIO", "// import Foundation\n/* import Collector /* */ import NIOCore */\n"),
            ("DiskIO", "let help = \"\"\"\nimport Foundation\n\"\"\"\nlet word = \"\\\"import NIOCore\""),
        ]
    )
    func allowed(target: String, text: String) {
        #expect(LayerRules.importViolations(in: text, of: target, file: "x.swift") == [])
    }

    @Test("a long file and each forbidden word are found, with the line")
    func textViolations() {
        let long = String(repeating: "let a = 1\n", count: LayerRules.longestFile + 1)
        #expect(LayerRules.textViolations(in: long, file: "x") == ["x: 501 lines, more than 500"])
        #expect(LayerRules.textViolations(in: String(long.dropFirst(10)), file: "x") == [])
        for word in LayerRules.forbiddenWords {
            #expect(LayerRules.textViolations(in: "\n    \(word)\n", file: "x") == ["x:2: \(word)"])
        }
    }

    @Test("a target that the table lacks is seen in a manifest")
    func manifestTargets() {
        let manifest = """
            // library("Commented")
            library("One", ["Two"]), program("three", []), .target(name: "CFour"),
            .executableTarget(name: "five"), tests("SixTests", ["One"]),
            """
        #expect(LayerRules.targets(ofManifest: manifest) == ["One", "three", "CFour", "five"])
    }
}
