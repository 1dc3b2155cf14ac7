import ConfigurationFile

/// The whole of an `agent.json`: Amazon's format, with keys of our own. Every key is described in `agent.json.example`.
public struct AgentConfiguration: Sendable {
    /// Access keys that stand in the file.
    public struct AccessKeys: Sendable, Equatable {
        /// `awsAccessKeyId`
        public var id: String
        /// `awsSecretAccessKey`
        public var secret: String
    }

    /// At least one.
    public var flows: [FlowConfiguration] = []
    /// The folder of checkpoints and status. Default `/var/lib/millrace/agent`.
    public var stateDirectory = AgentConfiguration.defaultStateDirectory
    /// The URL of the Kinesis API; nil is AWS's own, or the environment's.
    public var kinesisEndpoint: String?
    /// The URL of the Firehose API; nil is AWS's own, or the environment's.
    public var firehoseEndpoint: String?
    /// The region that requests are signed for; nil is the environment's.
    public var region: String?
    /// Keys in the file; nil leaves them to the environment and to AWS's files.
    public var accessKeys: AccessKeys?
    /// How long a file that is gone stays known. Default 7 days.
    public var checkpointTimeToLive: Duration = .seconds(7 * 86_400)
    /// How long requests under way may take after the agent is told to stop. Default 10 s.
    public var shutdownTimeout: Duration = .seconds(10)
    /// How often a progress line is logged. Default 30 s.
    public var statusPeriod: Duration = .seconds(30)
    /// What was accepted and changes nothing, to be shown once.
    public var notices: [ConfigurationProblem] = []

    /// Where state is kept unless the file or the command line says otherwise.
    public static let defaultStateDirectory = "/var/lib/millrace/agent"

    init() {}

    /// Reads a file. `environment` may override keys: `MILLRACE_STATE_DIR`, `MILLRACE_KINESIS_ENDPOINT`,
    /// `MILLRACE_FIREHOSE_ENDPOINT`, `MILLRACE_REGION`.
    /// Throws all that is wrong at once.
    public init(file path: String, environment: [String: String] = [:]) throws(ConfigurationProblems) {
        try self.init(SourceText(file: path), environment: environment)
    }

    /// Reads a file's content; `path` is for messages. Throws all that is wrong at once.
    public init(
        text bytes: [UInt8],
        path: String,
        environment: [String: String] = [:]
    ) throws(ConfigurationProblems) {
        try self.init(SourceText(path: path, bytes: bytes), environment: environment)
    }

    private init(_ text: SourceText, environment: [String: String]) throws(ConfigurationProblems) {
        let findings = ConfigurationFindings(text)
        if let members = findings.members() {
            read(members, findings)
            override(environment, findings)
        }
        try findings.throwProblems()
        notices = findings.notices
    }
}
