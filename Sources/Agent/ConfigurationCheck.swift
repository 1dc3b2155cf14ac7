import AWSClient
import FileTail
import Glibc
import JournalTail
import Logging

/// Looks at everything that a configuration needs, without reading or storing a record.
public struct ConfigurationCheck: Sendable {
    /// One thing that was looked at.
    public struct Finding: Sendable, Equatable {
        /// How it is.
        public enum Level: Sendable, Equatable {
            /// As it should be.
            case fine
            /// Worth knowing.
            case notice
            /// The agent could not do its work.
            case problem
        }

        /// How it is.
        public var level: Level
        /// In words, with what to do about a problem.
        public var text: String
    }

    private let configuration: AgentConfiguration
    private let environment: [String: String]
    private let logger: Logger
    private static let filesShown = 20

    /// A check of a configuration that was read without problems.
    public init(_ configuration: AgentConfiguration, environment: [String: String], logger: Logger) {
        self.configuration = configuration
        self.environment = environment
        self.logger = logger
    }

    /// Looks at the state folder, then at each flow's input, endpoint and stream.
    public func run() async -> [Finding] {
        var findings = configuration.notices.map { Finding(level: .notice, text: "\($0)") }
        findings.append(folder())
        for flow in configuration.flows {
            findings.append(Finding(level: .fine, text: "flow \(flow.id)"))
            findings += input(flow)
        }
        do throws(AgentError) {
            let client = try configuration.client(environment: environment, logger: logger)
            for flow in configuration.flows {
                findings += await destination(AWSPublisher(client: client, destination: flow.destination))
            }
            await client.shutdown()
        } catch {
            findings.append(Finding(level: .problem, text: error.description))
        }
        return findings
    }

    private func folder() -> Finding {
        let path = configuration.stateDirectory
        guard access(path, F_OK) == 0 else {
            return Finding(level: .fine, text: "state folder \(path) (will be made)")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            return Finding(
                level: .problem,
                text:
                    "the state folder \(path) can't be written by this user: chown it, or name another with --state-dir"
            )
        }
        let isHeld = StateFolder.isHeld(path)
        return Finding(
            level: isHeld ? .notice : .fine,
            text: "state folder \(path)" + (isHeld ? ": an agent runs with it now" : "")
        )
    }

    private func input(_ flow: FlowConfiguration) -> [Finding] {
        switch flow.input {
        case .files(var files):
            files.initialPosition = .startOfFile
            return self.files(files)
        case .journal(let journal): return self.journal(journal)
        }
    }

    private func files(_ files: FileTailConfiguration) -> [Finding] {
        var findings: [Finding] = []
        var matched = 0
        do throws(FileTailError) {
            for notice in try FileTail(files, restoring: []).refresh() {
                if case .discovered = notice.kind {
                    matched += 1
                    if matched <= Self.filesShown {
                        findings.append(Finding(level: .fine, text: "  reads \(notice.path)"))
                    }
                } else if notice.isWarning {
                    findings.append(Finding(level: .problem, text: notice.message))
                }
            }
        } catch {
            findings.append(Finding(level: .problem, text: "\(error)"))
        }
        if matched > Self.filesShown {
            findings.append(Finding(level: .fine, text: "  and \(matched - Self.filesShown) files more"))
        }
        if findings.isEmpty {
            findings.append(Finding(level: .notice, text: "no file matches \(files.pattern) now"))
        }
        return findings
    }

    private func journal(_ journal: JournalTailConfiguration) -> [Finding] {
        let folders = journal.directory.map { [$0] } ?? ["/var/log/journal", "/run/log/journal"]
        let readable = folders.filter { access($0, R_OK | X_OK) == 0 }
        guard let folder = readable.first else {
            return [
                Finding(
                    level: .problem,
                    text: "the journal can't be read in \(folders.joined(separator: " or ")): "
                        + "add this user to the group systemd-journal, or correct the directory"
                )
            ]
        }
        return [Finding(level: .fine, text: "  reads the journal in \(folder)")]
    }

    private func destination(_ publisher: AWSPublisher) async -> [Finding] {
        var findings: [Finding] = []
        do throws(PublishError) {
            let kind = try await publisher.probe()
            let who = kind == .aws ? "AWS, or something like it" : "a Millrace collector"
            findings.append(Finding(level: .fine, text: "\(publisher.endpoint) is \(who)"))
            try await publisher.describe()
            findings.append(Finding(level: .fine, text: "  stream \(publisher.destination.name) is there"))
        } catch {
            // Whether the stream is there is not needed to put into it.
            let level: Finding.Level = error.code == "AccessDeniedException" ? .notice : .problem
            findings.append(Finding(level: level, text: "\(publisher.destination.name): \(error)"))
        }
        return findings
    }
}
