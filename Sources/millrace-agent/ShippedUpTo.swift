import Agent
import ArgumentParser

struct ShippedUpTo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shipped-up-to",
        abstract: "Prints up to which offset a file is shipped; exit code 0 when that is all of it, 1 otherwise.",
        discussion: """
            For logrotate: `prerotate millrace-agent shipped-up-to /var/log/app.log.1 endscript`. Looks at the state folder
            only, so the agent need not run. What was confirmed in the last second may not be counted yet.
            """
    )

    @OptionGroup var options: Options

    @Argument(help: "The file.")
    var file: String

    func run() throws {
        let shipped = try ShippedFile(path: file, stateFolder: options.stateFolder())
        print(shipped.offset)
        if !shipped.isComplete { throw ExitCode(1) }
    }
}
