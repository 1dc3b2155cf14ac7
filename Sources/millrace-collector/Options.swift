import ArgumentParser
import CollectorServer
import Glibc

/// What `run` and `check` both take.
struct Options: ParsableArguments {
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

    @Option(help: "none: shards take and give what the machine can. AWS's limits are not there yet. [MILLRACE_LIMITS]")
    var limits: String?

    @Option(help: "A PEM certificate chain: serves TLS. [MILLRACE_TLS_CERT]")
    var tlsCert: String?

    @Option(help: "The certificate's PEM key. [MILLRACE_TLS_KEY]")
    var tlsKey: String?

    /// The options as they hold, or all that is wrong with them at once.
    func resolved() throws -> Settings {
        func value(_ flag: String?, _ name: String) -> String? {
            flag ?? getenv("MILLRACE_\(name)").map { String(cString: $0) }
        }
        var problems: [String] = []
        let folder = value(dataDir, "DATA_DIR")
        if folder == nil || folder == "" {
            problems.append("no data folder: name one with --data-dir DIR or MILLRACE_DATA_DIR")
        }
        let text = value(listen, "LISTEN") ?? "127.0.0.1:4567"
        let address = ListenAddress(text)
        if address == nil { problems.append("--listen '\(text)': HOST:PORT is expected, such as 127.0.0.1:4567") }
        let account = value(account, "ACCOUNT") ?? "000000000000"
        if account.utf8.count != 12 || !account.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
            problems.append("--account '\(account)': 12 digits are expected")
        }
        let auth = value(auth, "AUTH") ?? "sigv4"
        if auth != "sigv4", auth != "none" { problems.append("--auth '\(auth)': sigv4 or none is expected") }
        if auth == "none", let address, !address.isLoopback {
            problems.append("--auth none is for loopback only, and --listen says \(address.host): use sigv4 there")
        }
        let limits = value(limits, "LIMITS") ?? "none"
        if limits != "none" {
            problems.append("--limits '\(limits)': only none is possible so far; AWS's limits are not there yet")
        }
        let (certificate, key) = (value(tlsCert, "TLS_CERT"), value(tlsKey, "TLS_KEY"))
        if (certificate == nil) != (key == nil) {
            problems.append("--tls-cert and --tls-key go together: give both or neither")
        }
        for (flag, path) in [("--tls-cert", certificate), ("--tls-key", key)] {
            if let path, access(path, R_OK) != 0 {
                problems.append(
                    "\(flag) \(path): \(String(cString: strerror(errno))); is the path right, and readable to this user?"
                )
            }
        }
        guard problems.isEmpty, let folder, let address else {
            throw Problem.configuration(problems.joined(separator: "\nmillrace-collector: "))
        }
        return Settings(
            dataDir: folder,
            listen: address,
            account: account,
            verifiesSignatures: auth == "sigv4",
            sinkRoot: value(sinkRoot, "SINK_ROOT") ?? folder + "/sinks",
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
    var sinkRoot: String
    var tls: (certificate: String, key: String)?
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what `run` would do with these options, and does nothing."
    )

    @OptionGroup var options: Options

    func run() throws {
        let settings = try options.resolved()
        print("data folder  \(settings.dataDir)\(access(settings.dataDir, F_OK) == 0 ? "" : " (will be made)")")
        print("listen       \(settings.listen.host):\(settings.listen.port)\(settings.tls == nil ? "" : " with TLS")")
        print("account      \(settings.account)")
        print("signatures   \(settings.verifiesSignatures ? "verified" : "accepted unseen")")
        print("sink root    \(settings.sinkRoot)")
        if access(settings.dataDir, F_OK) == 0, access(settings.dataDir, R_OK | W_OK | X_OK) != 0 {
            throw Problem.configuration(
                "\(settings.dataDir): this user can't read and write it: chown it, or choose another folder"
            )
        }
        print("ok")
    }
}
