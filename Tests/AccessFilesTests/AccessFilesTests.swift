import AWSProtocol
import Foundation
import Logging
import Synchronization
import Testing

@testable import CollectorServer

/// collector.json and credentials in a folder of their own.
final class Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "millrace-access-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try write("credentials", "[default]\naws_access_key_id = MRROOT\naws_secret_access_key = rootsecret\n")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Whole or not at all, as editors do it.
    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
    }

    var files: AccessFiles {
        AccessFiles(
            configuration: "\(path)/collector.json",
            credentials: "\(path)/credentials",
            account: "000000000000",
            otherKeys: ["listen"]
        )
    }
}

/// Keeps what was logged.
struct Recorder: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    final class Lines: Sendable {
        private let text = Mutex<[String]>([])
        var all: [String] { text.withLock { $0 } }
        func add(_ line: String) { text.withLock { $0.append(line) } }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.add("\(event.level) \(event.message) \(event.metadata.map { "\($0)" } ?? "")")
    }

    static func logger(_ lines: Lines) -> Logger { Logger(label: "test") { _ in Recorder(lines: lines) } }
}

@Suite("Keys and policies in files")
struct AccessFilesTests {
    static let configuration = #"""
        // this machine
        {
          "listen": "127.0.0.1:0",
          "policies": {
            "readers": { "Version": "2012-10-17", "Statement": [
              { "Effect": "Allow", "Action": ["kinesis:Get*", "kinesis:List*"], "Resource": "*" } ] }
          },
          "accessKeys": [
            { "accessKeyId": "AKIAREADER", "secretAccessKeyFile": "reader.secret", "userName": "team/reader",
              "policies": ["readers", { "Statement": { "Effect": "Deny", "Action": "*", "Resource": "*",
                                                       "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } } }] },
            { "accessKeyId": "ASIATEMP", "secretAccessKey": "tempsecret", "sessionToken": "token", "roleName": "r",
              "sessionName": "s", "account": "111122223333", "expires": "2026-11-21T07:00:00Z", "policies": [] },
            { "accessKeyId": "MRROOT", "userName": "operator" }
          ]
        }
        """#

    @Test("keys come from both files, with whom they speak for, and are explained without a secret")
    func reading() throws {
        let folder = try Folder()
        try folder.write("collector.json", Self.configuration)
        try folder.write("reader.secret", "readersecret\n")
        try folder.write(
            "credentials",
            "[default]\naws_access_key_id=MRROOT\naws_secret_access_key=rootsecret\n"
                + "[ops]\naws_access_key_id=MROPS\naws_secret_access_key=opssecret\n"
        )
        let reading = folder.files.read()
        #expect(reading.problems == [])
        let keys = try #require(reading.keys)
        #expect(keys.entries["AKIAREADER"]?.credentials.secretAccessKey == "readersecret")
        #expect(keys.entries["AKIAREADER"]?.principal.arn == "arn:aws:iam::000000000000:user/team/reader")
        #expect(keys.entries["ASIATEMP"]?.principal.arn == "arn:aws:sts::111122223333:assumed-role/r/s")
        #expect(keys.entries["ASIATEMP"]?.credentials.expires == 1_795_244_400_000)
        #expect(keys.entries["MRROOT"]?.principal.isRoot == false)
        #expect(keys.entries["MROPS"]?.principal.isRoot == true)
        #expect(
            keys.explanation == [
                "AKIAREADER  arn:aws:iam::000000000000:user/team/reader  readers (1 statement), inline (1 statement)",
                "ASIATEMP  arn:aws:sts::111122223333:assumed-role/r/s  no policy: may do only what a resource's own policy "
                    + "grants; with a session token until 2026-11-21T07:00:00Z",
                "MROPS  arn:aws:iam::000000000000:root  may do everything",
                "MRROOT  arn:aws:iam::000000000000:user/operator  no policy: may do only what a resource's own policy grants",
            ]
        )
        #expect(keys.explanation.allSatisfy { !$0.contains("secret") || $0.contains("no policy") })
    }

    @Test("every mistake is told at once, with file, line, key path and a suggestion, and never a secret")
    func mistakes() throws {
        let folder = try Folder()
        try folder.write(
            "collector.json",
            #"""
            {
              "lisen": "x",
              "policies": {
                "readers": { "Version": "2012-10-17", "Statement": [
                  { "Efect": "Allow", "Action": "kinesis:Get*", "Resource": "*",
                    "Condition": { "StringEqals": { "aws:username": "x" },
                                   "StringLike": { "aws:SourceIP4": "x" } } } ] },
                "loose": { "Statement": { "Effect": "Allow", "Action": "kinesis:PutRecrod", "Resource": "*" } }
              },
              "accessKeys": [
                { "accessKeyId": "AKIA1", "secretAccessKey": "hunter2hunter2", "userName": "a",
                  "policies": ["loos", 7] },
                { "accessKeyId": "AKIA1", "secretAcessKey": "hunter2hunter2", "userName": "b c", "account": "12",
                  "expires": "soon" },
                { "accessKeyId": "AKIA/2", "secretAccessKeyFile": "nowhere", "roleName": "r" },
                "AKIA3"
              ]
            }
            """#
        )
        let reading = folder.files.read()
        #expect(reading.keys == nil)
        let file = "\(folder.path)/collector.json"
        for words in [
            "\(file):2: lisen: is no key that is known here; did you mean listen?",
            "\(file):5: policies.readers.Statement[0].Efect: is no element of a statement; did you mean Effect?",
            "\(file):6: policies.readers.Statement[0].Condition.StringEqals: is no operator of conditions; "
                + "did you mean StringEquals?",
            "\(file):7: policies.readers.Statement[0].Condition.StringLike.aws:SourceIP4: is no condition key that is known "
                + "here; did you mean aws:SourceIp?",
            "accessKeys[0].policies[0]: found \"loos\", which is none of the file's policies; did you mean loose?",
            "accessKeys[0].policies[1]: found a number, expected a policy document",
            "\(file):13: accessKeys[1].accessKeyId: AKIA1 has two entries; keep one of them",
            "accessKeys[1].secretAcessKey: is no key that is known here; did you mean secretAccessKey?",
            "accessKeys[1].userName: found \"b c\"", "accessKeys[1].account: found \"12\", expected 12 digits",
            "accessKeys[1].expires: found \"soon\", expected a date",
            "accessKeys[1].expires: goes with sessionToken",
            "accessKeys[2].accessKeyId: found \"AKIA/2\"",
            "accessKeys[2].secretAccessKeyFile: \(folder.path)/nowhere: can't be opened",
            "accessKeys[2]: needs userName, or roleName and sessionName",
            "accessKeys[3]: found a string, expected an object",
        ] {
            #expect(
                reading.problems.contains { $0.contains(words) },
                "\(words)\n\(reading.problems.joined(separator: "\n"))"
            )
        }
        #expect(
            reading.notices.contains {
                $0.contains(
                    "policies.loose.Statement.Action: \"kinesis:PutRecrod\" is no action of this collector; did you "
                        + "mean kinesis:PutRecord?"
                )
            },
            "\(reading.notices)"
        )
        #expect(!(reading.problems + reading.notices).contains { $0.contains("hunter2") })
    }

    @Test("a key without a secret must be in the credentials file, and may not have another one there")
    func secrets() throws {
        let folder = try Folder()
        try folder.write(
            "collector.json",
            #"""
            { "accessKeys": [ { "accessKeyId": "AKIA1", "userName": "a" },
              { "accessKeyId": "MRROOT", "userName": "b", "secretAccessKey": "othersecret" } ] }
            """#
        )
        let problems = folder.files.read().problems
        #expect(problems.count == 2)
        #expect(
            problems[0].contains("accessKeys[0].secretAccessKey: is missing, and the credentials file does not have")
        )
        #expect(problems[1].contains("accessKeys[1].secretAccessKey: differs from the one in the credentials file"))
        #expect(!problems.contains { $0.contains("othersecret") })
    }

    @Test("secrets that every user may read are told of")
    func openFiles() throws {
        let folder = try Folder()
        try folder.write(
            "collector.json",
            #"{ "accessKeys": [ { "accessKeyId": "AKIA1", "secretAccessKey": "s", "userName": "a" } ] }"#
        )
        func mode(_ name: String, _ mode: Int) throws {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(folder.path)/\(name)")
        }
        try mode("collector.json", 0o644)
        try mode("credentials", 0o600)
        #expect(
            folder.files.read().notices == [
                "\(folder.path)/collector.json: every user of this machine may read its secrets; chmod o-r takes that away"
            ]
        )
        try mode("collector.json", 0o640)
        try mode("credentials", 0o604)
        #expect(folder.files.read().notices.map { $0.contains("/credentials: every user") } == [true])
        try mode("credentials", 0o600)
        #expect(folder.files.read().notices == [])
    }

    @Test("collector.json.example is read without a problem or a notice, but for its secret's file")
    func example() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = try Folder()
        let text = try String(contentsOf: root.appending(path: "packaging/collector.json.example"), encoding: .utf8)
        try folder.write("collector.json", text)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(folder.path)/credentials")
        var files = folder.files
        files.otherKeys = ["dataDir", "listen", "account", "limits"]
        #expect(files.read().problems.allSatisfy { $0.contains("app.secret") })
        try folder.write("app.secret", "secret")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(folder.path)/collector.json")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(folder.path)/app.secret")
        let reading = files.read()
        #expect(reading.problems == [])
        #expect(reading.notices == [])
        #expect(reading.keys?.count == 3)
    }

    @Test("an edit counts when it is read, a broken one is logged whole and changes nothing")
    func reloading() throws {
        let folder = try Folder()
        try folder.write("collector.json", #"{ "listen": "a" }"#)
        let lines = Recorder.Lines()
        let watch = try AccessWatch(folder.files, logger: Recorder.logger(lines))
        #expect(watch.entry("MRROOT") != nil)
        #expect(watch.entry("AKIA1") == nil)
        let key = #"{ "accessKeyId": "AKIA1", "secretAccessKey": "s1", "userName": "a" }"#
        try folder.write("collector.json", #"{ "listen": "b", "accessKeys": [\#(key)] }"#)
        watch.reload()
        #expect(watch.entry("AKIA1") != nil)
        #expect(
            lines.all.contains { $0.contains("changed settings count from the next start") && $0.contains("listen") }
        )

        try folder.write("collector.json", #"{ "acessKeys": [], "policies": 3 }"#)
        watch.reload()
        #expect(watch.entry("AKIA1") != nil)
        #expect(lines.all.filter { $0.hasPrefix("error keys and policies stay as they were") }.count == 2)

        try folder.write("credentials", "[default\n")
        try folder.write("collector.json", "{}")
        watch.reload()
        #expect(watch.entry("AKIA1") != nil)
        try folder.write("credentials", "[x]\naws_access_key_id=MRNEW\naws_secret_access_key=s\n")
        watch.reload()
        #expect(watch.entry("AKIA1") == nil)
        #expect(watch.entry("MRROOT") == nil)
        #expect(watch.entry("MRNEW")?.principal.isRoot == true)
    }

    @Test("edits are seen within about a second: of the configuration, of a secret's file, and after a broken one")
    func watching() async throws {
        let folder = try Folder()
        try folder.write("collector.json", "{}")
        let watch = try AccessWatch(folder.files, logger: Recorder.logger(Recorder.Lines()))
        let running = Task { try await watch.run() }
        defer { running.cancel() }
        func soon(_ condition: () -> Bool) async throws {
            let start = ContinuousClock.now
            while !condition() {
                try await Task.sleep(for: .milliseconds(20))
                if ContinuousClock.now - start > .seconds(10) { break }
            }
            #expect(condition())
        }
        let key = #"{ "accessKeyId": "AKIA1", "secretAccessKeyFile": "secret", "userName": "a" }"#
        try folder.write("collector.json", #"{ "accessKeys": [\#(key)] }"#)
        try await Task.sleep(for: .milliseconds(1500))
        #expect(watch.entry("AKIA1") == nil)
        try folder.write("secret", "one")
        try await soon { watch.entry("AKIA1")?.credentials.secretAccessKey == "one" }
        try folder.write("secret", "two")
        try await soon { watch.entry("AKIA1")?.credentials.secretAccessKey == "two" }
    }

    @Test("a first key is made where there is none, and an empty credentials file is refused")
    func first() throws {
        let folder = try Folder()
        try FileManager.default.removeItem(atPath: "\(folder.path)/credentials")
        var files = folder.files
        files.configuration = nil
        _ = try AccessWatch(files, logger: Recorder.logger(Recorder.Lines()))
        let mode = try FileManager.default.attributesOfItem(atPath: files.credentials)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try folder.write("credentials", "[default]\n")
        let error = #expect(throws: AccessWatch.Problem.self) {
            try AccessWatch(files, logger: Recorder.logger(Recorder.Lines()))
        }
        #expect(error?.description.contains("holds no aws_access_key_id") == true)
    }
}
