import AWSProtocol
import Foundation
import Testing

@testable import AWSClient

@Suite("where calls go and what signs them")
struct ConfigurationTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("aws-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// An environment whose AWS files are this test's own.
    private func environment(
        _ variables: [String: String] = [:],
        config: String? = nil,
        credentials: String? = nil
    ) throws -> [String: String] {
        var all = variables
        all["AWS_EC2_METADATA_DISABLED"] = "true"
        all["AWS_CONFIG_FILE"] = folder.appendingPathComponent("config").path
        all["AWS_SHARED_CREDENTIALS_FILE"] = folder.appendingPathComponent("credentials").path
        try config?.write(toFile: all["AWS_CONFIG_FILE"]!, atomically: true, encoding: .utf8)
        try credentials?.write(toFile: all["AWS_SHARED_CREDENTIALS_FILE"]!, atomically: true, encoding: .utf8)
        return all
    }

    private static let keys = ["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"]

    @Test("an option goes before a variable, a variable before a file, and us-east-1 is the last resort")
    func order() throws {
        let file = "[default]\nregion = eu-north-1\nendpoint_url = http://file:1\ns3 =\n  region = nested\n"
        let all = Self.keys.merging(["AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://variable:2"]) { $1 }
        let option = try AWSConfiguration.resolve(
            endpointURL: "http://option:3",
            region: "ap-south-1",
            environment: try environment(all, config: file)
        )
        #expect(option.region == "ap-south-1" && option.endpointURL == "http://option:3")
        let variable = try AWSConfiguration.resolve(environment: try environment(all, config: file))
        #expect(variable.region == "eu-west-1" && variable.endpointURL == "http://variable:2")
        let fromFile = try AWSConfiguration.resolve(environment: try environment(Self.keys, config: file))
        #expect(fromFile.region == "eu-north-1" && fromFile.endpointURL == "http://file:1")
        let none = try AWSConfiguration.resolve(environment: try environment(Self.keys, config: ""))
        #expect(none.region == "us-east-1" && none.endpointURL == nil)
        #expect(try none.endpoint(.kinesis).url == "https://kinesis.us-east-1.amazonaws.com/")
    }

    @Test("a service's own endpoint goes before the common one, unless an option names one for all")
    func services() throws {
        let variables = Self.keys.merging(
            ["AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://tables:2"]
        ) { $1 }
        let resolved = try AWSConfiguration.resolve(environment: try environment(variables))
        #expect(try resolved.endpoint(.kinesis).url == "http://all:1/")
        #expect(try resolved.endpoint(.dynamoDB).url == "http://tables:2/")
        let option = try AWSConfiguration.resolve(endpointURL: "http://o:3", environment: try environment(variables))
        #expect(try option.endpoint(.dynamoDB).url == "http://o:3/")
    }

    @Test("keys come from the environment, then from the profile in the credentials file")
    func credentials() async throws {
        let file = """
            # comment
            [default]
            aws_access_key_id = DEFAULT
            aws_secret_access_key = a=b
            [other]
            aws_access_key_id=OTHER
            aws_secret_access_key=c
            aws_session_token=t
            """
        let variables = try AWSConfiguration.resolve(environment: try environment(Self.keys, credentials: file))
        #expect(try await variables.credentials.credentials().accessKeyID == "AKID")
        let standard = try AWSConfiguration.resolve(environment: try environment(credentials: file))
        #expect(try await standard.credentials.credentials().secretAccessKey == "a=b")
        let other = try AWSConfiguration.resolve(environment: try environment(["AWS_PROFILE": "other"]))
        #expect(try await other.credentials.credentials().accessKeyID == "OTHER")
        #expect(try await other.credentials.credentials().sessionToken == "t")
    }

    @Test("nothing to sign with, a broken file and a broken URL are named")
    func refusals() throws {
        func message(_ body: () throws -> AWSConfiguration) -> String {
            do {
                _ = try body()
                return ""
            } catch {
                return "\(error)"
            }
        }
        let nothing = try environment()
        #expect(message { try .resolve(environment: nothing) }.contains("AWS_ACCESS_KEY_ID"))
        let broken = try environment(credentials: "[default]\nnonsense\n")
        #expect(message { try .resolve(environment: broken) }.contains("credentials:2: NAME = VALUE"))
        for url in [
            "localhost:4567", "ftp://x", "http://", "http://user@host", "http://host?x", "http://host:99999",
            "http://host:x",
        ] {
            let variables = try environment(Self.keys.merging(["AWS_ENDPOINT_URL": url]) { $1 }, credentials: "")
            #expect(message { try .resolve(environment: variables) }.contains("'\(url)' is not an endpoint"))
        }
    }

    @Test("waits double up to a limit, vary down to nothing, and end with the attempts")
    func retries() {
        let policy = RetryPolicy(attempts: 4, initial: .milliseconds(100), limit: .milliseconds(250))
        #expect((1...4).map { policy.delay(after: $0, random: 0.999_999) != nil } == [true, true, true, false])
        #expect(policy.delay(after: 1, random: 0.5) == .milliseconds(50))
        #expect(policy.delay(after: 2, random: 0.5) == .milliseconds(100))
        #expect(policy.delay(after: 3, random: 0.5) == .milliseconds(125))
        #expect(policy.delay(after: 3, random: 0) == .zero)
        #expect(RetryPolicy.forever.delay(after: 1_000_000, random: 1) == .seconds(10))
    }
}
