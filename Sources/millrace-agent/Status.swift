import Agent
import ArgumentParser
import Glibc

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what the agent with this state folder has read and shipped since it started."
    )

    @OptionGroup var options: Options

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let status = try AgentStatus(folder: options.stateFolder())
        if json {
            print(String(decoding: status.json, as: UTF8.self))
            return
        }
        print(status.isRunning ? "running" : "not running; this is how it stood at the end")
        for flow in status.flows {
            print("\n\(flow.id)")
            print(
                "  \(flow.recordsRead) lines read (\(flow.bytesRead) bytes), \(flow.recordsAcknowledged) acknowledged "
                    + "(\(flow.bytesAcknowledged) bytes), \(flow.lagBytes) bytes behind"
            )
            switch flow.endpoint {
            case "millrace"?: print("  to a Millrace collector, exactly once")
            case nil: print("  nobody has answered at the endpoint yet")
            default: print("  to AWS, at least once")
            }
            if let trouble = flow.trouble {
                print("  in trouble: \(trouble)")
            } else if let error = flow.lastError {
                print("  works; last error: \(error)")
            }
        }
    }
}
