import Agent
import ArgumentParser
import Glibc
import Logging

/// What every subcommand takes.
struct Options: ParsableArguments {
    @Option(
        help:
            "The configuration, in the format of Amazon's agent. [MILLRACE_CONFIG] (default: /etc/millrace/agent.json)"
    )
    var config: String?

    @Option(
        help:
            "The folder of checkpoints and status. [MILLRACE_STATE_DIR] (default: the configuration's, or /var/lib/millrace/agent)"
    )
    var stateDir: String?

    /// The whole environment.
    static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var at = environ
        while let entry = at.pointee {
            let pair = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
            at += 1
        }
        return variables
    }

    /// The configuration as it holds: option, else variable, else file.
    func configuration() throws -> AgentConfiguration {
        let environment = Self.environment()
        let path = config ?? environment["MILLRACE_CONFIG"] ?? "/etc/millrace/agent.json"
        var configuration = try AgentConfiguration(file: path, environment: environment)
        if let stateDir { configuration.stateDirectory = stateDir }
        return configuration
    }

    /// The state folder alone; the configuration is only read when nothing else names the folder.
    func stateFolder() throws -> String {
        if let folder = stateDir ?? Self.environment()["MILLRACE_STATE_DIR"] { return folder }
        if config == nil, access("/etc/millrace/agent.json", R_OK) != 0 {
            return AgentConfiguration.defaultStateDirectory
        }
        return try configuration().stateDirectory
    }

    /// A logger on standard error; MILLRACE_LOG_LEVEL is trace, debug, info, notice, warning, error or critical.
    static func logger() -> Logger {
        var logger = Logger(label: "millrace-agent") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = environment()["MILLRACE_LOG_LEVEL"].flatMap { Logger.Level(rawValue: $0) } ?? .info
        return logger
    }
}
