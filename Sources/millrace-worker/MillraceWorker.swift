import AWSClient
import ArgumentParser
import Consumer
import Glibc

/// `millrace-worker`: handles a stream's records, shared among the workers of an application.
@main
struct MillraceWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace-worker",
        abstract: "Reads every shard of a stream, of Millrace or of AWS, shared among the workers of an application.",
        discussion: """
            Exit codes: 0 stopped as asked, 64 usage, 78 bad configuration, 1 otherwise. Every option is also an environment \
            variable: --shutdown-grace is MILLRACE_SHUTDOWN_GRACE. MILLRACE_LOG_LEVEL is trace, debug, info, notice, \
            warning, error or critical.
            """,
        version: "0.1.0",
        subcommands: [Run.self, Check.self, Status.self],
        defaultSubcommand: Run.self
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let problem as Problem {
            Problem.say("millrace-worker: \(problem.description)")
            Glibc.exit(problem.exitCode)
        } catch let error as WorkerError {
            Problem.say("millrace-worker: \(error)")
            Glibc.exit(1)
        } catch let error as AWSClientError {
            Problem.say("millrace-worker: \(error)")
            Glibc.exit(error.code == .configuration || error.code == .noCredentials ? 78 : 1)
        } catch {
            exit(withError: error)
        }
    }
}

/// Something a person must put right.
struct Problem: Error, CustomStringConvertible {
    var exitCode: Int32
    var description: String

    /// A setting that can't be used: exit code 78.
    static func configuration(_ text: String) -> Problem { Problem(exitCode: 78, description: text) }

    /// A command line that can't be understood: exit code 64.
    static func usage(_ text: String) -> Problem {
        Problem(exitCode: 64, description: "\(text)\nSee 'millrace-worker --help'.")
    }

    /// Writes a line to standard error; there is nothing to do for one that can't be written.
    static func say(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
