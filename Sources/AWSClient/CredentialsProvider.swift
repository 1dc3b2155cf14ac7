import AWSProtocol
import AsyncHTTPClient
import NIOCore
import Synchronization

/// Finds what signs a request.
public protocol CredentialsProvider: Sendable {
    /// The key to sign with now; temporary ones are renewed before they end.
    func credentials() async throws(AWSClientError) -> SigningCredentials
}

/// One key that does not change.
public struct StaticCredentials: CredentialsProvider {
    private let value: SigningCredentials

    /// Always answers `value`.
    public init(_ value: SigningCredentials) { self.value = value }

    public func credentials() -> SigningCredentials { value }
}

/// The role of an EC2 instance, from its metadata service, version 2.
/// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
public final class InstanceCredentials: CredentialsProvider {
    private struct Held {
        var credentials: SigningCredentials
        var until: ContinuousClock.Instant
    }

    private let held = Mutex<Held?>(nil)

    /// Asks at the first use, and every five minutes: a role's key changes hours before it ends.
    public init() {}

    public func credentials() async throws(AWSClientError) -> SigningCredentials {
        if let held = held.withLock({ $0 }), held.until > .now { return held.credentials }
        do {
            let fresh = try await fetch()
            held.withLock { $0 = Held(credentials: fresh, until: .now + .seconds(300)) }
            return fresh
        } catch {
            if let held = held.withLock({ $0 }) { return held.credentials }
            throw AWSClientError(
                .noCredentials,
                "no credentials: not in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, not in AWS's credentials file, and "
                    + "this is no EC2 instance with a role. For a Millrace collector, set AWS_SHARED_CREDENTIALS_FILE to the "
                    + "file 'credentials' in its data folder."
            )
        }
    }

    private func fetch() async throws -> SigningCredentials {
        let base = "http://169.254.169.254/latest"
        var ask = HTTPClientRequest(url: base + "/api/token")
        ask.method = .PUT
        ask.headers.add(name: "x-aws-ec2-metadata-token-ttl-seconds", value: "300")
        let token = try await text(ask)
        func get(_ path: String) async throws -> String {
            var request = HTTPClientRequest(url: base + path)
            request.headers.add(name: "x-aws-ec2-metadata-token", value: token)
            return try await text(request)
        }
        let roles = "/meta-data/iam/security-credentials/"
        let role = try await get(roles)
        let json = try JSONValue(parsing: Array(try await get(roles + (role.split(separator: "\n").first ?? "")).utf8))
        guard let id = json["AccessKeyId"]?.string, let secret = json["SecretAccessKey"]?.string else {
            throw AWSClientError(.badResponse, "the metadata service answers without a key")
        }
        return SigningCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: json["Token"]?.string)
    }

    private func text(_ request: HTTPClientRequest) async throws -> String {
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(2))
        guard response.status == .ok else {
            throw AWSClientError(.badResponse, "the metadata service answers \(response.status.code)")
        }
        return String(buffer: try await response.body.collect(upTo: 65_536))
    }
}
