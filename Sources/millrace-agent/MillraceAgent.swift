import Agent
import ArgumentParser
import ConfigurationFile
import Glibc

/// `millrace-agent`: ships files and the journal.
@main
struct MillraceAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace-agent",
        abstract: "Ships log files and the systemd journal to Kinesis and Firehose streams, of Millrace or of AWS.",
        version: "0.1.0",
        subcommands: [Run.self, Check.self, Status.self, ShippedUpTo.self],
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
        } catch let error as ConfigurationProblems {
            Complaint.say("\(error)")
            Glibc.exit(78)
        } catch let error as AgentError {
            Complaint.say("millrace-agent: \(error)")
            Glibc.exit(1)
        } catch {
            exit(withError: error)
        }
    }
}
