import Agent
import ArgumentParser
import Glibc

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Validates the configuration and shows what `run` would meet: files, permissions, endpoints, streams.",
        discussion: "Reads and stores nothing. Exit code 0 when all is well, 78 otherwise."
    )

    @OptionGroup var options: Options

    func run() async throws {
        let configuration = try options.configuration()
        let report = await ConfigurationCheck(
            configuration,
            environment: Options.environment(),
            logger: Options.logger()
        ).run()
        for finding in report {
            switch finding.level {
            case .fine: print(finding.text)
            case .notice: print("note: \(finding.text)")
            case .problem: Complaint.say("problem: \(finding.text)")
            }
        }
        let problems = report.count { $0.level == .problem }
        guard problems == 0 else {
            Complaint.say("\(problems) problem\(problems == 1 ? "" : "s") found")
            throw ExitCode(78)
        }
        print("ok")
    }
}
