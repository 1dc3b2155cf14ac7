import AWSClient
import ArgumentParser
import Glibc

/// `millrace`: the operator's hand tool.
@main
struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Puts records, follows streams and lists them, on Millrace or on AWS; verifies a store.",
        version: "0.1.0",
        subcommands: [Put.self, Tail.self, Streams.self, Shards.self, CheckStore.self]
    )

    static func main() async {
        // A reader that leaves is an error of that write; `Output` ends us then.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as AWSClientError {
            Output.complain("\(error.message)\(advice(error))")
            Glibc.exit(1)
        } catch let error as Problem {
            Output.complain(error.description)
            Glibc.exit(error.exitCode)
        } catch {
            exit(withError: error)
        }
    }

    private static func advice(_ error: AWSClientError) -> String {
        switch error.code {
        case .connection:
            "\nStart a collector with: millrace-collector --data-dir DIR\nor name another with --endpoint-url."
        case .service(let cause)
        where cause.code == "UnrecognizedClientException" || cause.code == "InvalidSignatureException":
            "\nThe key must be one of the collector's: AWS_SHARED_CREDENTIALS_FILE=DATA-DIR/credentials"
        default: ""
        }
    }
}

/// What stops the program.
struct Problem: Error, CustomStringConvertible {
    var description: String
    /// 64 for wrong usage, 1 otherwise.
    var exitCode: Int32 = 1
}

/// What every subcommand takes.
struct Connection: ParsableArguments {
    @Option(help: "Where to call. [MILLRACE_ENDPOINT_URL, AWS_ENDPOINT_URL] (default: AWS's own)")
    var endpointUrl: String?

    @Option(help: "Such as us-east-1. [AWS_REGION]")
    var region: String?

    @Option(help: "The section of AWS's files to take keys from. [AWS_PROFILE]")
    var profile: String?

    @Option(help: "table for people, json for programs: one object a line.")
    var output: OutputForm = .table

    func kinesis() throws -> KinesisClient {
        let configuration = try AWSConfiguration.resolve(endpointURL: endpointUrl, region: region, profile: profile)
        return KinesisClient(try AWSClient(configuration: configuration, logger: Output.silent))
    }

    /// Runs with a client whose connections end afterwards.
    func with<Result>(_ body: (KinesisClient) async throws -> Result) async throws -> Result {
        let kinesis = try kinesis()
        do {
            let result = try await body(kinesis)
            await kinesis.client.shutdown()
            return result
        } catch {
            await kinesis.client.shutdown()
            throw error
        }
    }
}

enum OutputForm: String, ExpressibleByArgument {
    case table, json
}
