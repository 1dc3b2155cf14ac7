import ConfigurationFile
import FileTail
import Foundation
import Testing

@testable import Agent

@Suite("agent.json")
struct ConfigurationTests {
    private func read(
        _ text: String,
        environment: [String: String] = [:]
    ) throws(ConfigurationProblems) -> AgentConfiguration {
        try AgentConfiguration(text: Array(text.utf8), path: "a.json", environment: environment)
    }

    private func problems(_ text: String) -> [String] {
        do throws(ConfigurationProblems) {
            _ = try read(text)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("the example is read without a problem, and every key in it is explained or does something")
    func example() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let configuration = try AgentConfiguration(file: root.appending(path: "agent.json.example").path)
        #expect(
            configuration.flows.map(\.id) == [
                "kinesis:app:/var/log/app/*.log*", "fh:nginx:/var/log/nginx/access.log*",
                "kinesis:journal:journal:/var/log/journal:_SYSTEMD_UNIT=app.service:_SYSTEMD_UNIT=nginx.service",
            ]
        )
        #expect(configuration.kinesisEndpoint == "http://127.0.0.1:4567")
        #expect(configuration.flows[0].maxBufferAge == .seconds(1))
        #expect(configuration.notices.count == 33)
    }

    @Test("a small file of Amazon's agent gets Amazon's defaults")
    func defaults() throws {
        let configuration = try read(
            """
            {
              "kinesis.endpoint": "kinesis.eu-west-1.amazonaws.com", "checkpointFile": "/var/run/x/checkpoints",
              "flows": [ { "filePattern": "/tmp/app.log*", "kinesisStream": "s" } ]
            }
            """
        )
        #expect(configuration.kinesisEndpoint == "https://kinesis.eu-west-1.amazonaws.com")
        #expect(configuration.stateDirectory == "/var/run/x")
        let flow = configuration.flows[0]
        #expect(flow.maxBufferAge == .seconds(60))
        #expect(flow.maxBufferRecords == 500)
        #expect(flow.maxBufferBytes == 5 * 1024 * 1024)
        #expect(flow.partitionKey == .random)
        #expect(flow.retryInitialBackoff == .milliseconds(100))
        #expect(flow.retryMaxBackoff == .seconds(10))
        guard case .files(let files) = flow.input else { throw CancellationError() }
        #expect(files.initialPosition == .endOfFile)
        #expect(files.rememberMissing == .seconds(7 * 86_400))
    }

    @Test("three mistakes in one file are all reported, each with its line")
    func allAtOnce() {
        let found = problems(
            """
            {
              // a comment
              "kinesis.endpont": "http://127.0.0.1:4567",
              "flows": [
                { "filePattern": "/var/log/app.log*", "kinesisStream": "app",
                  "maxBufferSizeRecords": 5000,
                  "initialPosition": "MIDDLE_OF_FILE" }
              ]
            }
            """
        )
        #expect(
            found == [
                "a.json:3: kinesis.endpont: is no key that is known here; did you mean kinesis.endpoint?",
                "a.json:6: flows[0].maxBufferSizeRecords: found 5000, expected a number from 1 to 500; correct it, or leave the "
                    + "key out",
                "a.json:7: flows[0].initialPosition: found \"MIDDLE_OF_FILE\", expected one of END_OF_FILE, START_OF_FILE",
            ]
        )
    }

    @Test("broken syntax is reported with its line")
    func syntax() {
        let found = problems("{\n  \"flows\": [\n    { \"filePattern\" \"/x\" }\n  ]\n}\n")
        #expect(found.count == 1)
        #expect(found[0].hasPrefix("a.json:3: is no JSON: ':' is expected"))
    }

    @Test("numbers and booleans may stand in quotes")
    func quoted() throws {
        let configuration = try read(
            #"{"shutdownTimeoutMillis": "250", "flows": [{"filePattern": "/a/b", "kinesisStream": "s", "#
                + #""maxBufferAgeMillis": "2000"}]}"#
        )
        #expect(configuration.shutdownTimeout == .milliseconds(250))
        #expect(configuration.flows[0].maxBufferAge == .seconds(2))
    }

    @Test("an option that would change what is shipped is refused, never passed over")
    func refused() {
        let found = problems(
            """
            {"flows": [
              {"filePattern": "/a/b", "kinesisStream": "s", "dataProcessingOptions": [{"optionName": "CSVTOJSON"}]},
              {"filePattern": "/a/c", "deliveryStream": "s", "aggregatedRecordSizeBytes": 1000},
              {"filePattern": "/a/d", "kinesisStream": "s", "fileFooterPattern": "x"}
            ], "assumeRoleARN": "arn:aws:iam::1:role/x"}
            """
        )
        #expect(found.count == 4)
        #expect(found[0].contains("CSVTOJSON: records are not converted yet"))
    }

    @Test("a flow has one input and one destination, and two flows are not the same")
    func flows() {
        let found = problems(
            """
            {"flows": [
              {"filePattern": "/a/b", "kinesisStream": "s", "deliveryStream": "t"},
              {"kinesisStream": "s"},
              {"filePattern": "/a/b"},
              {"filePattern": "/a/b", "kinesisStream": "s"},
              {"filePattern": "/a/b", "kinesisStream": "s"},
              {"journal": true, "filePattern": "/a/b", "kinesisStream": "s"},
              {"filePattern": "relative", "kinesisStream": "s"}
            ]}
            """
        )
        #expect(found.map { $0.split(separator: ":")[1] } == ["2", "3", "4", "6", "7", "8"])
    }

    @Test("journal flows take true or an object, also an empty one")
    func journals() throws {
        let configuration = try read(
            """
            {"flows": [
              {"journal": true, "kinesisStream": "a"},
              {"journal": {}, "kinesisStream": "b", "initialPosition": "START_OF_FILE"},
              {"journal": {"directory": "/j", "matches": ["A=1"], "format": "message"}, "deliveryStream": "c"}
            ]}
            """
        )
        let inputs = configuration.flows.compactMap { flow in
            if case .journal(let journal) = flow.input { journal } else { nil }
        }
        #expect(inputs.map(\.initialPosition) == [.tail, .head, .tail])
        #expect(inputs.map(\.format) == [.json, .json, .message])
        #expect(inputs[2].matches == ["A=1"])
        #expect(
            configuration.flows.map(\.id) == ["kinesis:a:journal", "kinesis:b:journal", "fh:c:journal:/j:A=1:message"]
        )
    }

    @Test("the environment goes before the file")
    func environment() throws {
        let configuration = try read(
            #"{"region": "eu-west-1", "flows": [{"filePattern": "/a/b", "kinesisStream": "s"}]}"#,
            environment: [
                "MILLRACE_REGION": "us-west-2", "MILLRACE_STATE_DIR": "/s", "MILLRACE_KINESIS_ENDPOINT": "http://h:1",
            ]
        )
        #expect(configuration.region == "us-west-2")
        #expect(configuration.stateDirectory == "/s")
        #expect(configuration.kinesisEndpoint == "http://h:1")
    }

    @Test("a missing file is named")
    func missing() {
        #expect(throws: ConfigurationProblems.self) { try AgentConfiguration(file: "/nowhere/agent.json") }
    }

    @Test("multi-line patterns look at the start of a line")
    func linePattern() throws {
        let pattern = try LinePattern(#"\d{4}-"#)
        func matches(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes { pattern.matches($0) } }
        #expect(matches("2024-01-01 x"))
        #expect(!matches(" 2024-01-01"))
        #expect(!matches("at java.lang"))
    }

    @Test("suggestions are near misses only")
    func suggestions() {
        #expect(Suggestion.nearest(to: "filepatern", in: ["filePattern", "flows"]) == "filePattern")
        #expect(Suggestion.nearest(to: "zzz", in: ["filePattern", "flows"]) == nil)
        #expect(Suggestion.distance(Array("ab".utf8), Array("ba".utf8)) == 1)
    }
}
