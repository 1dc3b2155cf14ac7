import Crypto
import Synchronization

/// Remembers the signing keys of the day: deriving one costs four HMACs.
final class SigV4Keys: Sendable {
    private struct Name: Hashable {
        var accessKeyID: String
        var day: String
        var region: String
        var service: String
    }

    private struct Derived {
        var secret: String
        var key: SymmetricKey
    }

    private let keys = Mutex<[Name: Derived]>([:])

    func key(_ credentials: SigningCredentials, day: String, region: String, service: String) -> SymmetricKey {
        let name = Name(accessKeyID: credentials.accessKeyID, day: day, region: region, service: service)
        return keys.withLock { keys in
            if let known = keys[name], known.secret == credentials.secretAccessKey { return known.key }
            // Days pass and regions are made up by clients: start over rather than grow.
            if keys.count >= 256 { keys.removeAll() }
            let key = SigV4Canonical.key(
                secret: credentials.secretAccessKey,
                day: day,
                region: region,
                service: service
            )
            keys[name] = Derived(secret: credentials.secretAccessKey, key: key)
            return key
        }
    }
}
