import AWSProtocol
import Glibc

/// Where calls go and what signs them.
public struct AWSConfiguration: Sendable {
    /// Such as `us-east-1`.
    public var region: String
    /// Of every service; nil: AWS's own.
    public var endpointURL: String?
    /// Of single services, by signing name; goes before `endpointURL`.
    public var serviceEndpointURLs: [String: String]
    /// What signs.
    public var credentials: any CredentialsProvider
    /// A PEM file of certificate authorities; nil: the system's.
    public var certificateAuthorities: String?
    /// How long one attempt may take.
    public var timeout: Duration

    /// A configuration.
    public init(
        region: String,
        endpointURL: String? = nil,
        serviceEndpointURLs: [String: String] = [:],
        credentials: any CredentialsProvider,
        certificateAuthorities: String? = nil,
        timeout: Duration = .seconds(30)
    ) {
        self.region = region
        self.endpointURL = endpointURL
        self.serviceEndpointURLs = serviceEndpointURLs
        self.credentials = credentials
        self.certificateAuthorities = certificateAuthorities
        self.timeout = timeout
    }

    /// Gathers what flags, the environment and AWS's files say, in this order.
    ///
    /// Environment: `AWS_ENDPOINT_URL_KINESIS` and its like, `MILLRACE_ENDPOINT_URL`, `AWS_ENDPOINT_URL`, `AWS_REGION`,
    /// `AWS_DEFAULT_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
    /// `AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`, `AWS_CA_BUNDLE`, `AWS_EC2_METADATA_DISABLED`.
    /// Throws `configuration` for files that can't be read and URLs that are none.
    public static func resolve(
        endpointURL: String? = nil,
        region: String? = nil,
        profile: String? = nil,
        environment: [String: String] = Self.processEnvironment()
    ) throws(AWSClientError) -> AWSConfiguration {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let profile = profile ?? variable("AWS_PROFILE") ?? variable("AWS_DEFAULT_PROFILE") ?? "default"
        let home = variable("HOME") ?? "/"
        let configPath = variable("AWS_CONFIG_FILE") ?? home + "/.aws/config"
        let credentialsPath = variable("AWS_SHARED_CREDENTIALS_FILE") ?? home + "/.aws/credentials"
        let config = try Self.file(configPath)?.profiles[profile] ?? [:]
        let shared = try Self.file(credentialsPath)

        let endpoint =
            endpointURL ?? variable("MILLRACE_ENDPOINT_URL") ?? variable("AWS_ENDPOINT_URL") ?? config["endpoint_url"]
        var services: [String: String] = [:]
        if endpointURL == nil {
            for service in ["KINESIS", "FIREHOSE", "DYNAMODB"] {
                if let url = variable("AWS_ENDPOINT_URL_\(service)") { services[service.lowercased()] = url }
            }
        }
        for url in services.values + [endpoint].compactMap({ $0 }) { _ = try Endpoint(url) }

        let provider: any CredentialsProvider
        if let id = variable("AWS_ACCESS_KEY_ID"), let secret = variable("AWS_SECRET_ACCESS_KEY") {
            provider = StaticCredentials(
                SigningCredentials(
                    accessKeyID: id,
                    secretAccessKey: secret,
                    sessionToken: variable("AWS_SESSION_TOKEN")
                )
            )
        } else if let keys = shared?.credentials(profile) {
            provider = StaticCredentials(keys)
        } else if variable("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true" {
            throw AWSClientError(
                .noCredentials,
                "no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and \(credentialsPath) has no "
                    + "key for the profile '\(profile)'. For a Millrace collector, set AWS_SHARED_CREDENTIALS_FILE to the "
                    + "file 'credentials' in its data folder."
            )
        } else {
            provider = InstanceCredentials()
        }
        return AWSConfiguration(
            region: region ?? variable("AWS_REGION") ?? variable("AWS_DEFAULT_REGION") ?? config["region"]
                ?? shared?.profiles[profile]?["region"] ?? "us-east-1",
            endpointURL: endpoint,
            serviceEndpointURLs: services,
            credentials: provider,
            certificateAuthorities: variable("AWS_CA_BUNDLE") ?? config["ca_bundle"]
        )
    }

    /// Throws `configuration` unless the text is a URL that calls can be made to.
    public static func validate(endpointURL text: String) throws(AWSClientError) { _ = try Endpoint(text) }

    /// The variables of this process.
    public static func processEnvironment() -> [String: String] {
        var variables: [String: String] = [:]
        var at = environ
        while let entry = at.pointee {
            let pair = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
            at += 1
        }
        return variables
    }

    private static func file(_ path: String) throws(AWSClientError) -> CredentialsFile? {
        do throws(CredentialsFile.Problem) {
            return try CredentialsFile(path: path)
        } catch {
            throw AWSClientError(.configuration, error.description)
        }
    }

    func endpoint(_ service: AWSService) throws(AWSClientError) -> Endpoint {
        try Endpoint(
            serviceEndpointURLs[service.name] ?? endpointURL ?? "https://\(service.name).\(region).amazonaws.com"
        )
    }
}

/// A URL's parts.
struct Endpoint: Sendable {
    var url: String
    /// With the port where it is not the scheme's own: what `Host` says.
    var host: String
    var path: String

    init(_ text: String) throws(AWSClientError) {
        let scheme = ["http://", "https://"].first { text.lowercased().hasPrefix($0) }
        let rest = text.dropFirst(scheme?.count ?? 0)
        let authority = rest.prefix { $0 != "/" }
        // Behind the last colon, unless that is within the brackets of an IPv6 address.
        let port = authority.lastIndex(of: ":").map { authority[authority.index(after: $0)...] }
        let isPort = port.map { $0.hasSuffix("]") || (1...65535).contains(Int($0) ?? 0) } ?? true
        guard let scheme, !authority.isEmpty, !authority.contains("@"), !rest.contains("?"), !rest.contains(" "), isPort
        else {
            throw AWSClientError(
                .configuration,
                "'\(text)' is not an endpoint: http://HOST:PORT or https://HOST is expected"
            )
        }
        let path = String(rest.dropFirst(authority.count))
        self.path = path.isEmpty ? "/" : path
        url = scheme + authority + self.path
        let own = scheme == "http://" ? ":80" : ":443"
        host = authority.hasSuffix(own) ? String(authority.dropLast(own.count)) : String(authority)
    }
}
