import RecordBatch

/// The keys there are at a moment.
struct KeySet: Sendable, Equatable {
    /// One version of a key.
    enum Version: Sendable, Equatable {
        case usable(RootKey)
        /// It stands there, but can't be used: why.
        case unusable(String)
    }

    /// A key with its versions.
    struct Key: Sendable, Equatable {
        /// By number; the highest writes.
        var versions: [Int: Version] = [:]
        var isDisabled = false

        /// The version that writes; nil when there is none.
        var newest: Version? { versions.keys.max().flatMap { versions[$0] } }
        /// Whether some version can't be used.
        var hasUnusable: Bool { versions.values.contains { if case .unusable = $0 { true } else { false } } }
    }

    /// By name: a UUID in lower case, or `alias/NAME`.
    private(set) var keys: [String: Key] = [:]
    /// The names of keys that have a version with these bits.
    private(set) var names: [UInt128: [String]] = [:]
    /// What is wrong, in words for the operator; never a key's bits.
    private(set) var problems: [String] = []
    /// Nothing could be read at all; `problems` says why.
    private(set) var isUnreadable = false

    /// Adds a version.
    mutating func add(_ version: Version, number: Int, to name: String) {
        keys[name, default: Key()].versions[number] = version
        switch version {
        case .usable(let root):
            if names[root.fingerprint]?.contains(name) != true { names[root.fingerprint, default: []].append(name) }
        case .unusable(let reason): problems.append(reason)
        }
    }

    /// Marks a key as disabled, whether it has versions or not.
    mutating func disable(_ name: String) { keys[name, default: Key()].isDisabled = true }

    /// Notes what is no key's matter.
    mutating func note(_ problem: String) { problems.append(problem) }

    /// Nothing can be read.
    static func unreadable(_ reason: String) -> KeySet {
        var set = KeySet()
        set.note(reason)
        set.isUnreadable = true
        return set
    }

    /// The root key of a frame and a name it has; an enabled key's where there are several.
    func find(_ fingerprint: UInt128) -> (root: RootKey, name: String, isDisabled: Bool)? {
        guard let names = names[fingerprint],
            let name = names.first(where: { keys[$0]?.isDisabled == false }) ?? names.first, let key = keys[name]
        else { return nil }
        for case .usable(let root) in key.versions.values where root.fingerprint == fingerprint {
            return (root, name, key.isDisabled)
        }
        return nil
    }
}
