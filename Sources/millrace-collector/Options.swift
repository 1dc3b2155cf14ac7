import ArgumentParser
import Collector
import CollectorServer
import Glibc
import StreamKeys

/// What `run` and `check` both take. Each option is also a variable `MILLRACE_…` and a key of the file.
struct Options: ParsableArguments {
    @Option(help: "A file with these options as keys, JSON with comments: dataDir, listen, ... [MILLRACE_CONFIG]")
    var config: String?

    @Option(help: "The folder that holds everything; made when missing. [MILLRACE_DATA_DIR]")
    var dataDir: String?

    @Option(help: "HOST:PORT; port 0 picks a free one. [MILLRACE_LISTEN] (default: 127.0.0.1:4567)")
    var listen: String?

    @Option(help: "The account of every ARN, 12 digits. [MILLRACE_ACCOUNT] (default: 000000000000)")
    var account: String?

    @Option(help: "sigv4, or none: any signature is accepted, on loopback only. [MILLRACE_AUTH] (default: sigv4)")
    var auth: String?

    @Option(help: "The folder of delivered files. [MILLRACE_SINK_ROOT] (default: DATA-DIR/sinks)")
    var sinkRoot: String?

    @Option(
        help: """
            aws: shards, calls and the account have AWS's limits, and on-demand streams scale by them; the file may give \
            other numbers. none: what the machine can. [MILLRACE_LIMITS] (default: aws)
            """
    )
    var limits: String?

    @Option(
        help: """
            Milliseconds for which a stream stays CREATING, UPDATING or DELETING, 0 to 60000. [MILLRACE_TRANSITION_MILLIS] \
            (default: 50)
            """
    )
    var transitionMillis: String?

    @Option(
        help: """
            What all records may take on the disk, such as 500GB: puts are refused when it is reached, until retention or a \
            deletion makes room; no record goes before its time. [MILLRACE_STORE_LIMIT] (default: what the disk has)
            """
    )
    var storeLimit: String?

    @Option(
        help: """
            The keys of encrypted streams: a folder with a file for each, or a JSON file. [MILLRACE_ENCRYPTION_KEYS] \
            (default: DATA-DIR/keys, where alias/aws/kinesis is made when it is first asked for)
            """
    )
    var encryptionKeys: String?

    @Option(
        help: """
            Where control calls are written down as CloudTrail does, a line of JSON each; none: nowhere. \
            [MILLRACE_AUDIT_LOG] (default: DATA-DIR/audit/audit.jsonl)
            """
    )
    var auditLog: String?

    @Option(help: "A PEM certificate chain: serves TLS. [MILLRACE_TLS_CERT]")
    var tlsCert: String?

    @Option(help: "The certificate's PEM key. [MILLRACE_TLS_KEY]")
    var tlsKey: String?

    private static let names = [
        "data-dir", "listen", "account", "auth", "sink-root", "limits", "transition-millis", "audit-log",
        "store-limit",
        "encryption-keys",
        "tls-cert",
        "tls-key",
    ]

    /// The options as they hold, or all that is wrong with them at once.
    func resolved() throws -> Settings {
        let sources: SettingSources
        do {
            sources = try SettingSources(config: config, keys: Self.names)
        } catch {
            throw Problem.configuration(error.problems.map(\.description).joined(separator: "\nmillrace-collector: "))
        }
        var problems: [String] = []
        /// The setting, when what stands there is right; else the default, and a problem is noted.
        func value<Value>(
            _ name: String,
            _ option: String?,
            default: Value,
            expecting expected: String,
            _ parse: (String) -> Value?
        ) -> Value {
            guard let found = sources.find(name, option) else { return `default` }
            if let value = parse(found.text) { return value }
            problems.append("\(found.place): found '\(found.text)', expected \(expected)")
            return `default`
        }
        func readable(_ name: String, _ option: String?) -> String? {
            guard let found = sources.find(name, option) else { return nil }
            if access(found.text, R_OK) != 0 {
                let reason = String(cString: strerror(errno))
                problems.append(
                    "\(found.place): \(found.text): \(reason); is the path right, and may this user read it?"
                )
            }
            return found.text
        }

        let folder = sources.find("data-dir", dataDir)?.text ?? ""
        if folder.isEmpty { problems.append("no data folder: name one with --data-dir DIR or MILLRACE_DATA_DIR") }
        let address = value(
            "listen",
            listen,
            default: .standard,
            expecting: "HOST:PORT, such as 127.0.0.1:4567",
            ListenAddress.init
        )
        let account = value("account", account, default: "000000000000", expecting: "12 digits") {
            $0.utf8.count == 12 && $0.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? $0 : nil
        }
        let verifies = value("auth", auth, default: true, expecting: "sigv4 or none") {
            ["sigv4": true, "none": false][$0]
        }
        if !verifies, !address.isLoopback {
            problems.append("--auth none is for loopback only, and --listen says \(address.host): use sigv4 there")
        }
        let serviceLimits = value("limits", limits, default: sources.limits ?? .aws, expecting: "aws or none") {
            text -> ServiceLimits?? in
            switch text {
            case "aws": .some(.aws)
            case "none": .some(nil)
            default: nil
            }
        }
        let transition = value("transition-millis", transitionMillis, default: 50, expecting: "0 to 60000") { text in
            Int(text).flatMap { (0...60_000).contains($0) ? $0 : nil }
        }
        let storeBytes = value("store-limit", storeLimit, default: nil, expecting: "bytes, such as 500GB or 2TB") {
            text in
            ByteCount.parse(text).map(Optional.some)
        }
        let keys = readable("encryption-keys", encryptionKeys)
        let (certificate, key) = (readable("tls-cert", tlsCert), readable("tls-key", tlsKey))
        if (certificate == nil) != (key == nil) {
            problems.append("--tls-cert and --tls-key go together: give both or neither")
        }
        guard problems.isEmpty else {
            throw Problem.configuration(problems.joined(separator: "\nmillrace-collector: "))
        }
        return Settings(
            dataDir: folder,
            listen: address,
            account: account,
            verifiesSignatures: verifies,
            transition: .milliseconds(transition),
            limits: serviceLimits,
            storeBytes: storeBytes,
            auditLog: sources.find("audit-log", auditLog).map(\.text).map { $0 == "none" ? nil : $0 }
                ?? folder + "/audit/audit.jsonl",
            sinkRoot: sources.find("sink-root", sinkRoot)?.text ?? folder + "/sinks",
            access: AccessFiles(
                configuration: sources.path,
                credentials: folder + "/credentials",
                account: account,
                otherKeys: Self.names.map(SettingSources.key)
            ),
            keys: keys.map { .kept(path: $0) } ?? .own(folder: folder + "/keys"),
            tls: certificate.flatMap { certificate in key.map { (certificate, $0) } }
        )
    }
}

/// What holds for this run.
struct Settings {
    var dataDir: String
    var listen: ListenAddress
    var account: String
    var verifiesSignatures: Bool
    var transition: Duration
    /// Nil: none.
    var limits: ServiceLimits?
    /// Nil: what the disk has.
    var storeBytes: UInt64?
    /// Nil: no trail is kept.
    var auditLog: String?
    var sinkRoot: String
    /// Where keys and policies stand.
    var access: AccessFiles
    var keys: KeySource
    var tls: (certificate: String, key: String)?
}
