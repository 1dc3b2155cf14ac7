import AWSProtocol
import Glibc

/// What one flow has done since the agent started, and how it is.
public struct FlowStatus: Sendable, Equatable {
    /// The flow's id.
    public var id: String
    /// Lines or journal entries read.
    public var recordsRead: Int64
    /// Their bytes.
    public var bytesRead: Int64
    /// Records that the destination has confirmed.
    public var recordsAcknowledged: Int64
    /// Their bytes.
    public var bytesAcknowledged: Int64
    /// Known bytes that are not confirmed.
    public var lagBytes: Int64
    /// Who is at the endpoint: `millrace`, `aws`, or nil when nobody answered yet.
    public var endpoint: String?
    /// What hinders the flow now.
    public var trouble: String?
    /// What last hindered it.
    public var lastError: String?
}

extension FlowStatus {
    init(id: String, _ values: FlowMeters.Values) {
        self.init(
            id: id,
            recordsRead: values.recordsRead,
            bytesRead: values.bytesRead,
            recordsAcknowledged: values.recordsAcknowledged,
            bytesAcknowledged: values.bytesAcknowledged,
            lagBytes: values.lagBytes,
            endpoint: values.endpoint.map { $0 == .aws ? "aws" : "millrace" },
            trouble: values.trouble,
            lastError: values.lastError
        )
    }
}

/// The state of an agent, as it stands in `status.json` in its state folder: rewritten every second in which something
/// changed.
public struct AgentStatus: Sendable, Equatable {
    /// False in the last status of an agent that was stopped.
    public var isRunning: Bool
    /// In the order of the configuration.
    public var flows: [FlowStatus]

    static let fileName = "status.json"

    /// One line about all flows.
    public var summary: String {
        func sum(_ path: KeyPath<FlowStatus, Int64>) -> Int64 { flows.reduce(0) { $0 + $1[keyPath: path] } }
        let troubled = flows.filter { $0.trouble != nil }.count
        return "\(sum(\.recordsRead)) lines read, \(sum(\.recordsAcknowledged)) records acknowledged, "
            + "\(sum(\.lagBytes)) bytes behind"
            + (troubled > 0 ? ", \(troubled) of \(flows.count) flows in trouble" : "")
    }

    /// Reads the status of the agent with this state folder. Throws when there is none.
    public init(folder: String) throws(AgentError) {
        let path = "\(folder)/\(Self.fileName)"
        guard let file = fopen(path, "re") else {
            throw AgentError(
                "can't read \(path): \(SystemText.describe(errno)); has an agent run with this state folder, and may this user "
                    + "read it?"
            )
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        do {
            self.init(json: try JSONValue(parsing: bytes), isHeld: StateFolder.isHeld(folder))
        } catch {
            throw AgentError("\(path) is damaged: \(error); it is written anew by a running agent")
        }
    }

    init(isRunning: Bool, flows: [FlowStatus]) {
        self.isRunning = isRunning
        self.flows = flows
    }

    private init(json: JSONValue, isHeld: Bool) {
        isRunning = json["running"]?.bool == true && isHeld
        flows = (json["flows"]?.array ?? []).map { flow in
            func number(_ name: String) -> Int64 { flow[name]?.integer ?? 0 }
            return FlowStatus(
                id: flow["id"]?.string ?? "",
                recordsRead: number("recordsRead"),
                bytesRead: number("bytesRead"),
                recordsAcknowledged: number("recordsAcknowledged"),
                bytesAcknowledged: number("bytesAcknowledged"),
                lagBytes: number("lagBytes"),
                endpoint: flow["endpoint"]?.string,
                trouble: flow["trouble"]?.string,
                lastError: flow["lastError"]?.string
            )
        }
    }

    /// The status as JSON.
    public var json: [UInt8] {
        jsonBytes { json in
            json.name("running")
            json.bool(isRunning)
            json.name("flows")
            json.array { json in
                for flow in flows { json.object { Self.write(flow, to: &$0) } }
            }
        }
    }

    private static func write(_ flow: FlowStatus, to json: inout JSONWriter) {
        json.name("id")
        json.string(flow.id)
        for (name, value) in [
            ("recordsRead", flow.recordsRead), ("bytesRead", flow.bytesRead),
            ("recordsAcknowledged", flow.recordsAcknowledged), ("bytesAcknowledged", flow.bytesAcknowledged),
            ("lagBytes", flow.lagBytes),
        ] {
            json.name(escaping: name)
            json.integer(value)
        }
        for (name, text) in [("endpoint", flow.endpoint), ("trouble", flow.trouble), ("lastError", flow.lastError)] {
            guard let text else { continue }
            json.name(escaping: name)
            json.string(text)
        }
    }

    /// Replaces the folder's status file as a whole. It need not survive a power cut, so it is not synced.
    func write(to folder: String) throws(AgentError) {
        let (path, fresh) = ("\(folder)/\(Self.fileName)", "\(folder)/\(Self.fileName).new")
        let bytes = json
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw AgentError("can't write \(fresh): \(SystemText.describe(errno))") }
        let written = Glibc.write(descriptor, bytes, bytes.count)
        close(descriptor)
        guard written == bytes.count, rename(fresh, path) == 0 else {
            throw AgentError("can't write \(path): \(SystemText.describe(errno)); is the disk full?")
        }
    }
}
