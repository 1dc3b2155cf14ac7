import ArgumentParser
import CollectorServer
import Glibc
import Logging
import StreamKeys

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
        print("limits       \(settings.limits.map { $0 == .aws ? "AWS's" : "AWS's, with other numbers" } ?? "none")")
        print("sink root    \(settings.sinkRoot)")
        try explainAccess(settings.access)
        let keys = KeyRing(
            settings.keys,
            account: settings.account,
            now: { 0 },
            logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
        )
        print("keys         \(settings.keys.path)")
        for key in keys.summary { print("             \(key)") }
        if !keys.problems.isEmpty {
            throw Problem.configuration(keys.problems.joined(separator: "\nmillrace-collector: "))
        }
        if access(settings.dataDir, F_OK) == 0, access(settings.dataDir, R_OK | W_OK | X_OK) != 0 {
            throw Problem.configuration(
                "\(settings.dataDir): this user can't read and write it: chown it, or choose another folder"
            )
        }
        print("ok")
    }

    /// The keys, whom they speak for and their policies, without a secret.
    private func explainAccess(_ files: AccessFiles) throws {
        let hasCredentials = access(files.credentials, F_OK) == 0
        print(
            "credentials  \(files.credentials)\(hasCredentials ? "" : " (will be made, with a key that may do everything)")"
        )
        let reading = files.read(expectingKeys: hasCredentials)
        for line in reading.keys?.explanation ?? [] { print("access key   \(line)") }
        for notice in reading.notices { print("notice       \(notice)") }
        if !reading.problems.isEmpty {
            throw Problem.configuration(reading.problems.joined(separator: "\nmillrace-collector: "))
        }
    }
}
