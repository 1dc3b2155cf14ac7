import AWSProtocol
import Logging
import RecordBatch
import Synchronization

/// The keys of encrypted streams, as their source has them now: a key that is added, removed or disabled counts within a
/// second, without a restart.
///
///     KeyId ──> name ──> newest version ──> FrameKey, one for each stream       writing
///     frame ──> fingerprint ──> version ──> DataKey, by salt and stream         reading
///
/// A frame is found its key by the key's own bits, so a file may be renamed; a frame of a version that is gone waits for it
/// to come back. All methods may read the source's folder or file, at most once a second, and are quick.
public final class KeyRing: Sendable {
    /// How old what is known of the source may be, in milliseconds.
    private static let age: Int64 = 1000
    /// And when a key is missing or disabled.
    private static let ageInTrouble: Int64 = 100
    /// Data keys that are kept of each kind; all are let go of when there are more, and derived again.
    private static let limit = 4096

    private struct Writing: Hashable {
        var keyID: String
        var stream: String
    }

    private struct Reading: Hashable {
        var fingerprint: UInt128
        var salt: UInt128
        var stream: String
    }

    private struct State {
        var set = KeySet()
        /// When the source was last looked at, in milliseconds; nil before the first time.
        var looked: Int64?
        var isLooking = false
        var writing: [Writing: (name: KeyName, key: FrameKey)] = [:]
        var reading: [Reading: DataKey] = [:]
        /// Keys of frames that were missing and told of.
        var missed: Set<UInt128> = []
    }

    private let account: String
    private let now: @Sendable () -> Int64
    private let logger: Logger
    private let source: Mutex<KeySourceReader>
    private let state = Mutex(State())

    /// Reads the source for the first time. What is wrong with it is logged, and is an error where a key is asked for.
    ///
    /// - Parameters:
    ///   - account: of the ARNs that name these keys, 12 digits.
    ///   - now: milliseconds.
    public init(_ source: KeySource, account: String, now: @escaping @Sendable () -> Int64, logger: Logger) {
        self.account = account
        self.now = now
        self.logger = logger
        self.source = Mutex(KeySourceReader(source))
        look()
    }

    /// What is wrong with the source, in words for the operator. Empty when every key there can be used.
    public var problems: [String] { state.withLock { $0.set.problems } }

    /// A line for each key: its name, versions, and the newest one's fingerprint, as log messages name it.
    public var summary: [String] {
        state.withLock { state in
            state.set.keys.sorted { $0.key < $1.key }.map { name, key in
                var line = "\(name): \(key.versions.count) version\(key.versions.count == 1 ? "" : "s")"
                if case .usable(let root) = key.newest { line += ", newest \(Self.text(root.fingerprint))" }
                return key.isDisabled ? line + ", disabled" : line
            }
        }
    }

    private static func text(_ fingerprint: UInt128) -> String { String(fingerprint, radix: 16) }

    /// Whether the key can encrypt; what `StartStreamEncryption` asks. The service key is made where the source is the
    /// collector's own.
    ///
    /// - Parameters:
    ///   - keyID: a UUID, a key ARN, `alias/NAME` or an alias ARN.
    ///   - region: of the stream.
    ///
    /// Throws `InvalidArgumentException` for another form of it, `KMSNotFoundException`, `KMSDisabledException`, or
    /// `KMSAccessDeniedException` for a key that stands there and can't be read.
    public func resolve(_ keyID: String, region: String) throws(AWSError) {
        let name = try KeyName(keyID)
        look()
        do throws(KeyTrouble) {
            _ = try root(of: name, region)
        } catch {
            guard error == .missing, name.name == KeyName.service, isOurs(name, region), makeServiceKey() else {
                throw answer(error, name, region)
            }
            look()
            do throws(KeyTrouble) { _ = try root(of: name, region) } catch { throw answer(error, name, region) }
        }
    }

    /// What a stream's next frames are encrypted with: a data key of the newest version.
    ///
    /// - Parameters:
    ///   - keyID: as `resolve` took it.
    ///   - stream: the stream's incarnation, `ShardRef.stream`.
    ///   - region: of the stream.
    ///
    /// Throws what `resolve` throws.
    public func key(_ keyID: String, stream: String, region: String) throws(AWSError) -> FrameKey {
        look(ifOlderThan: Self.age)
        let slot = Writing(keyID: keyID, stream: stream)
        let known = state.withLock { $0.writing[slot] }
        let name: KeyName
        if let known { name = known.name } else { name = try KeyName(keyID) }
        let root: RootKey
        do throws(KeyTrouble) {
            root = try self.root(of: name, region)
        } catch {
            look(ifOlderThan: Self.ageInTrouble)
            do throws(KeyTrouble) { root = try self.root(of: name, region) } catch { throw answer(error, name, region) }
        }
        if let known, known.key.fingerprint == root.fingerprint, !known.key.isWornOut { return known.key }
        var random = SystemRandomNumberGenerator()
        let salt = UInt128(random.next()) << 64 | UInt128(random.next())
        let key = FrameKey(root, name: name.name, stream: stream, salt: salt)
        return state.withLock { state in
            // Somebody else was as fast: one key is enough.
            if let other = state.writing[slot]?.key, other.fingerprint == root.fingerprint, !other.isWornOut {
                return other
            }
            if state.writing.count >= Self.limit { state.writing = [:] }
            state.writing[slot] = (name, key)
            return key
        }
    }

    /// Hands a frame's records to `body`, opened where they are encrypted; they are gone when it returns.
    ///
    /// - Parameters:
    ///   - stream: the incarnation that the frame was read from, `ShardRef.stream`.
    ///   - shard: its index.
    ///   - region: the stream's.
    ///
    /// Throws `AWSError` when the key is missing, disabled or can't be read, as `resolve` does; `FrameError` when the frame is
    /// not what was written there; and whatever `body` throws.
    public func withRecords<Result>(
        of view: FrameView,
        stream: String,
        shard: UInt32,
        region: String,
        _ body: (FrameRecords) throws -> Result
    ) throws -> Result {
        guard let encryption = try view.encryption() else { return try body(try view.records()) }
        let key = try dataKey(encryption, stream: stream, region: region)
        return try view.withRecords(openedWith: key, shard: shard, body)
    }

    private func dataKey(_ encryption: FrameEncryption, stream: String, region: String) throws(AWSError) -> DataKey {
        look(ifOlderThan: Self.age)
        do throws(KeyTrouble) {
            return try known(encryption, stream)
        } catch {
            look(ifOlderThan: Self.ageInTrouble)
            do throws(KeyTrouble) { return try known(encryption, stream) } catch {
                tell(encryption)
                throw error.answer(encryption.name, region: region, account: account)
            }
        }
    }

    private func known(_ encryption: FrameEncryption, _ stream: String) throws(KeyTrouble) -> DataKey {
        try state.withLock { state throws(KeyTrouble) in
            guard let found = state.set.find(encryption.fingerprint) else {
                let isUnreadable = state.set.isUnreadable || state.set.keys[encryption.name]?.hasUnusable == true
                throw isUnreadable ? .unreadable : .missing
            }
            if found.isDisabled { throw .disabled }
            state.missed.remove(encryption.fingerprint)
            let slot = Reading(fingerprint: encryption.fingerprint, salt: encryption.salt, stream: stream)
            if let key = state.reading[slot] { return key }
            let key = found.root.dataKey(salt: encryption.salt, stream: stream)
            if state.reading.count >= Self.limit { state.reading = [:] }
            state.reading[slot] = key
            return key
        }
    }

    /// Tells the operator once which key is missing: a name may have had many versions.
    private func tell(_ encryption: FrameEncryption) {
        guard state.withLock({ $0.missed.insert(encryption.fingerprint).inserted }) else { return }
        logger.error(
            "records can't be read without their key",
            metadata: [
                "key": "\(encryption.name)", "fingerprint": "\(Self.text(encryption.fingerprint))",
            ]
        )
    }

    // MARK: - The source

    private func root(of name: KeyName, _ region: String) throws(KeyTrouble) -> RootKey {
        guard isOurs(name, region) else { throw .missing }
        return try state.withLock { state throws(KeyTrouble) in
            if state.set.isUnreadable { throw .unreadable }
            guard let key = state.set.keys[name.name], let newest = key.newest else { throw .missing }
            if key.isDisabled { throw .disabled }
            guard case .usable(let root) = newest else { throw .unreadable }
            return root
        }
    }

    /// An ARN of another region or account names no key of ours.
    private func isOurs(_ name: KeyName, _ region: String) -> Bool {
        name.region ?? region == region && name.account ?? account == account
    }

    private func answer(_ trouble: KeyTrouble, _ name: KeyName, _ region: String) -> AWSError {
        trouble.answer(name.name, region: name.region ?? region, account: name.account ?? account)
    }

    private func makeServiceKey() -> Bool {
        do {
            return try source.withLock { try $0.makeServiceKey() }
        } catch {
            logger.error("the service key can't be made", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Looks at the source unless somebody has just done so, or does.
    private func look(ifOlderThan age: Int64) {
        let isDue = state.withLock { state in
            let time = now()
            // A clock that was set back must not keep the keys of its former time.
            if state.isLooking { return false }
            if let looked = state.looked, time >= looked, time - looked < age { return false }
            state.isLooking = true
            return true
        }
        if isDue { look() }
    }

    private func look() {
        let fresh = source.withLock { source in
            let set = source.read()
            return state.withLock { state in
                defer { (state.set, state.looked, state.isLooking) = (set, now(), false) }
                return set.problems.filter { !state.set.problems.contains($0) }
            }
        }
        for problem in fresh {
            logger.error("a key can't be used", metadata: ["problem": "\(problem)"])
        }
    }
}
