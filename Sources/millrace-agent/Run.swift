import Agent
import ArgumentParser
import Glibc
import Logging
import UnixSignals

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ships until it is told to stop (the default).")

    @OptionGroup var options: Options

    func run() async throws {
        // A peer that hangs up is an error of that write, not of the process.
        signal(SIGPIPE, SIG_IGN)
        let configuration = try options.configuration()
        let logger = Options.logger()
        let agent = try Agent(configuration, environment: Options.environment(), logger: logger)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let listener = Task { await Self.obey(signals, agent, logger) }
        let service = ServiceManager()
        service.notify("READY=1\nSTATUS=\(configuration.flows.count) flows")
        let reporter = Task { await service.report(agent) }
        defer {
            listener.cancel()
            reporter.cancel()
        }
        logger.info("shipping \(configuration.flows.count) flows, state in \(configuration.stateDirectory)")
        try await agent.run()
        service.notify("STOPPING=1")
        logger.info("stopped: \(agent.summary)")
    }

    private static func obey(_ signals: UnixSignalsSequence, _ agent: Agent, _ logger: Logger) async {
        for await signal in signals {
            if signal == .sighup {
                logger.notice("the configuration is read at the start only: restart the agent to use a changed one")
                continue
            }
            logger.info("stopping")
            ServiceManager().notify("STOPPING=1")
            agent.stop()
        }
    }
}
