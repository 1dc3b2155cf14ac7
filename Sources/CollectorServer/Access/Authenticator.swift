import AWSProtocol
import AccessPolicy

/// Decides who a request is from.
public struct Authenticator: Sendable {
    private let verifier: SigV4Verifier?
    private let keys: AccessWatch
    private let root: Principal
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - keys: who may sign.
    ///   - account: the collector's own.
    ///   - verifies: false accepts any signature, and takes every caller for the account itself.
    ///   - now: milliseconds since 1970.
    public init(keys: AccessWatch, account: String, verifies: Bool, now: @escaping @Sendable () -> Int64) {
        self.keys = keys
        self.now = now
        root = Principal(account: account, kind: .root)
        verifier = verifies ? SigV4Verifier { keys.entry($0)?.credentials } : nil
    }

    func identify(_ exchange: HTTPExchange, service: Target.Service) throws(AWSError) -> Caller {
        let request = SigV4Verifier.Request(
            method: exchange.method,
            path: exchange.path,
            query: exchange.query,
            headers: exchange.headers
        )
        let time = now()
        let context = CallContext(
            sourceAddress: exchange.peer,
            isSecure: exchange.isSecure,
            userAgent: exchange.header("user-agent"),
            milliseconds: time
        )
        guard let verifier else {
            // Nobody asked for a signature, so none is missing.
            let claimed = try? SigV4Verifier.claimedIdentity(request, service: service.signingName)
            return Caller(principal: root, context: context, region: claimed?.region ?? "us-east-1")
        }
        let identity = try verifier.verify(request, body: exchange.body, service: service.signingName, now: time)
        // Taken away between the two looks.
        guard let entry = keys.entry(identity.accessKeyID) else { throw SigV4Verifier.unknownToken }
        return Caller(principal: entry.principal, context: context, region: identity.region)
    }
}
