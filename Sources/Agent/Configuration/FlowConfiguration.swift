import FileTail
import JournalTail

/// Where a flow's records go.
public enum FlowDestination: Sendable, Hashable {
    /// A data stream, by name.
    case stream(String)
    /// A delivery stream, by name.
    case deliveryStream(String)

    /// The stream's name.
    public var name: String {
        switch self {
        case .stream(let name), .deliveryStream(let name): name
        }
    }
}

/// What a flow reads.
public enum FlowInput: Sendable {
    /// Files, and how they are cut into records.
    case files(FileTailConfiguration)
    /// The systemd journal.
    case journal(JournalTailConfiguration)
}

/// How a record's partition key is made.
public enum PartitionKeyOption: String, Sendable, CaseIterable {
    /// A number that spreads records evenly.
    case random = "RANDOM"
    /// The MD5 of the record's data in hexadecimal: equal records go to the same shard.
    case deterministic = "DETERMINISTIC"
}

/// One flow of an agent: an input, a destination, and how records travel between them. The keys are described in
/// `agent.json.example`, after Amazon's
/// https://docs.aws.amazon.com/streams/latest/dev/writing-with-agents.html.
public struct FlowConfiguration: Sendable {
    /// Names the flow in the state folder and in messages: `kinesis:STREAM:PATTERN` or `fh:STREAM:PATTERN`.
    public var id: String
    /// What is read.
    public var input: FlowInput
    /// Where it goes.
    public var destination: FlowDestination
    /// Default RANDOM. Data streams only.
    public var partitionKey = PartitionKeyOption.random
    /// How long a record may wait for others before it is sent. Default 60 s, 1 s to 15 min.
    public var maxBufferAge: Duration = .seconds(60)
    /// Records in one request, 1 to 500 (the default). Left at 500, a collector that takes more gets more.
    public var maxBufferRecords = 500
    /// Bytes of data in one request: 1 to 5 MiB for data streams, to 4 MiB for delivery streams; the default is the limit.
    public var maxBufferBytes: Int
    /// The first pause after a failed request. Default 100 ms.
    public var retryInitialBackoff: Duration = .milliseconds(100)
    /// The longest pause between tries. Default 10 s.
    public var retryMaxBackoff: Duration = .seconds(10)
    /// How often an idle flow looks for new data. Default 250 ms.
    public var pollInterval: Duration = .milliseconds(250)

    /// A flow with the defaults named above.
    public init(id: String, input: FlowInput, destination: FlowDestination) {
        self.id = id
        self.input = input
        self.destination = destination
        switch destination {
        case .stream: maxBufferBytes = 5 * 1_048_576
        case .deliveryStream: maxBufferBytes = 4 * 1_048_576
        }
    }
}
