import ArgumentParser
import Collector
import CollectorServer
import Glibc

/// `millrace-collector`: the server.
@main
struct MillraceCollector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace-collector",
        abstract: "Serves the Kinesis, Firehose and lease-table APIs from one folder.",
        version: "0.1.0",
        subcommands: [Run.self, Check.self],
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
        } catch let error as Problem {
            say("millrace-collector: \(error)", to: STDERR_FILENO)
            Glibc.exit(error.exitCode)
        } catch {
            exit(withError: error)
        }
    }
}

/// Writes a line at once: what goes through `print` waits in a buffer when nobody sits at the terminal.
func say(_ line: String, to file: Int32 = STDOUT_FILENO) {
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        // Whoever read it is gone; the server goes on.
        if count <= 0 { return }
        rest = rest.dropFirst(count)
    }
}

/// What stops the program, with the exit code scripts rely on.
struct Problem: Error, CustomStringConvertible {
    var description: String
    /// 78 for a bad configuration, 1 otherwise.
    var exitCode: Int32

    static func configuration(_ text: String) -> Problem { Problem(description: text, exitCode: 78) }
    static func failure(_ text: String) -> Problem { Problem(description: text, exitCode: 1) }
}
