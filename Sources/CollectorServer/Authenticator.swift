import AWSProtocol

/// Decides who a request is from.
public struct Authenticator: Sendable {
    private let verifier: SigV4Verifier?
    private let now: @Sendable () -> Int64

    /// Reads the keys that may sign, or makes a first one.
    ///
    /// - Parameters:
    ///   - verifies: false accepts any signature.
    ///   - now: milliseconds since 1970.
    public init(credentialsFile path: String, verifies: Bool, now: @escaping @Sendable () -> Int64) throws {
        let file = try CredentialsFile(path: path) ?? CredentialsFile.generate(at: path)
        var keys: [String: SigningCredentials] = [:]
        for profile in file.profiles.keys {
            if let credentials = file.credentials(profile) { keys[credentials.accessKeyID] = credentials }
        }
        guard !keys.isEmpty else {
            throw CredentialsFile.Problem(
                description: "\(path): holds no aws_access_key_id with an aws_secret_access_key. "
                    + "Add one, or remove the file and a new key is made at the next start."
            )
        }
        let known = keys
        verifier = verifies ? SigV4Verifier { known[$0] } : nil
        self.now = now
    }

    func identify(_ exchange: HTTPExchange, service: Target.Service) throws(AWSError) -> SigV4Identity {
        let request = SigV4Verifier.Request(
            method: exchange.method,
            path: exchange.path,
            query: exchange.query,
            headers: exchange.headers
        )
        if let verifier {
            return try verifier.verify(request, body: exchange.body, service: service.signingName, now: now())
        }
        do {
            return try SigV4Verifier.claimedIdentity(request, service: service.signingName)
        } catch {
            // Nobody asked for a signature, so none is missing.
            return SigV4Identity(accessKeyID: "", region: "us-east-1", service: service.signingName)
        }
    }
}
