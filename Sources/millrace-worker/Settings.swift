import AWSClient
import ArgumentParser
import Consumer
import Glibc
import Logging

/// Reads a setting from its option, else from its variable `MILLRACE_…`.
struct Environment {
    let variables = AWSConfiguration.processEnvironment()

    /// `failover-milliseconds` is MILLRACE_FAILOVER_MILLISECONDS.
    func text(_ name: String, _ option: String?) -> String? {
        // An empty one counts as none, as with variables.
        if let option, !option.isEmpty { return option }
        let variable = "MILLRACE_" + String(name.map { $0 == "-" ? "_" : $0 }).uppercased()
        return variables[variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A number in a range; throws a configuration problem for anything else.
    func number(_ name: String, _ option: String?, in range: ClosedRange<Int>) throws -> Int? {
        guard let text = text(name, option) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Problem.configuration(
                "--\(name): found '\(text)', expected a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}

/// What every subcommand takes.
struct StreamOptions: ParsableArguments {
    @Option(help: "The application; its workers share the shards. Names the lease table.")
    var applicationName: String?

    @Option(help: "The stream's name.")
    var stream: String?

    @Option(help: "Such as http://127.0.0.1:4567; default: AWS_ENDPOINT_URL, else AWS itself.")
    var endpointUrl: String?

    @Option(help: "Default: AWS_REGION, the AWS configuration, else us-east-1.")
    var region: String?

    @Option(
        help: "TRIM_HORIZON (default), LATEST, or AT_TIMESTAMP=SECONDS since 1970: for shards without a checkpoint."
    )
    var initialPosition: String?

    /// What they name, checked.
    struct Resolved {
        var application: String
        var stream: String
        var position: InitialPosition
        var aws: AWSConfiguration
    }

    /// Throws ``Problem`` for what is missing or wrong.
    func resolve(_ environment: Environment) throws -> Resolved {
        guard let application = environment.text("application-name", applicationName) else {
            throw Problem.usage("--application-name is missing (or MILLRACE_APPLICATION_NAME)")
        }
        guard let stream = environment.text("stream", stream) else {
            throw Problem.usage("--stream is missing (or MILLRACE_STREAM)")
        }
        // The coordinator table's name is 17 characters longer, and DynamoDB's limit is 255.
        guard (3...238).contains(application.utf8.count), application.utf8.allSatisfy(Self.isNameByte) else {
            throw Problem.configuration(
                "--application-name: found '\(application)', expected 3 to 238 of the characters a-z A-Z 0-9 _ . -"
            )
        }
        guard (1...128).contains(stream.utf8.count), stream.utf8.allSatisfy(Self.isNameByte) else {
            throw Problem.configuration(
                "--stream: found '\(stream)', expected 1 to 128 of the characters a-z A-Z 0-9 _ . -"
            )
        }
        return Resolved(
            application: application,
            stream: stream,
            position: try position(environment),
            aws: try AWSConfiguration.resolve(
                endpointURL: environment.text("endpoint-url", endpointUrl),
                region: environment.text("region", region),
                environment: environment.variables
            )
        )
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    private func position(_ environment: Environment) throws -> InitialPosition {
        let text = environment.text("initial-position", initialPosition) ?? "TRIM_HORIZON"
        switch text {
        case "TRIM_HORIZON": return .trimHorizon
        case "LATEST": return .latest
        default:
            let prefix = "AT_TIMESTAMP="
            guard text.hasPrefix(prefix), let seconds = Double(text.dropFirst(prefix.count)),
                (0...1e11).contains(seconds)
            else {
                throw Problem.configuration(
                    "--initial-position: found '\(text)', expected TRIM_HORIZON, LATEST or AT_TIMESTAMP=SECONDS "
                        + "(since 1970, a fraction is allowed)"
                )
            }
            return .atTimestamp(Int64(seconds * 1000))
        }
    }

    /// A logger on standard error.
    static func logger(_ environment: Environment) throws -> Logger {
        var logger = Logger(label: "millrace-worker") { StreamLogHandler.standardError(label: $0) }
        let text = environment.variables["MILLRACE_LOG_LEVEL"] ?? "info"
        guard let level = Logger.Level(rawValue: text) else {
            throw Problem.configuration(
                "MILLRACE_LOG_LEVEL: found '\(text)', expected one of "
                    + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            )
        }
        logger.logLevel = level
        return logger
    }
}
