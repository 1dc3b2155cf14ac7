import ArgumentParser
import Glibc

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
