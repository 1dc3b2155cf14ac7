import DiskIO
import Glibc
import RecordBatch

/// Keys in a folder, one version a file:
///
///     FOLDER/1234abcd-12ab-34cd-56ef-1234567890ab     the key with this id
///     FOLDER/orders                                   alias/orders
///     FOLDER/orders.2                                 its version 2; the highest number writes, all of them read
///     FOLDER/orders.disabled                          there, whatever is in it: the key is disabled
///     FOLDER/aws/kinesis                              alias/aws/kinesis
///
/// A name without a number is version 1. A file holds 32 bytes raw, in hexadecimal or in base64, and nobody but its owner may
/// read or change it. Names that start with a dot are passed over.
struct KeyFolder {
    private let path: String
    /// Files as they were read, by path: those that did not change are not read again.
    private var known: [String: (status: KeyFileStatus, version: KeySet.Version)] = [:]
    /// Folders inside folders.
    private static let depthLimit = 8

    init(_ path: String) { self.path = path }

    /// What stands there now.
    mutating func read() -> KeySet {
        var set = KeySet()
        var seen: Set<String> = []
        do throws(DiskError) {
            try read("", into: &set, &seen, depth: 0)
        } catch {
            return .unreadable(error.description)
        }
        known = known.filter { seen.contains($0.key) }
        return set
    }

    private mutating func read(
        _ folder: String,
        into set: inout KeySet,
        _ seen: inout Set<String>,
        depth: Int
    ) throws(DiskError) {
        for name in try POSIXDisk().list(path + "/" + folder) where !name.hasPrefix(".") {
            let relative = folder.isEmpty ? name : folder + "/" + name
            let file = path + "/" + relative
            let status: KeyFileStatus
            do throws(DiskError) {
                status = try KeyFileStatus(file)
            } catch {
                // Removed since it was listed, or not for this user to see.
                if error.number != ENOENT { add(relative, .unusable(error.description), to: &set) }
                continue
            }
            if !status.isFolder {
                seen.insert(file)
                add(relative, version(file, status), to: &set)
            } else if depth < Self.depthLimit {
                do throws(DiskError) {
                    try read(relative, into: &set, &seen, depth: depth + 1)
                } catch {
                    set.note(error.description)
                }
            }
        }
    }

    private func add(_ relative: String, _ version: KeySet.Version, to set: inout KeySet) {
        let file = path + "/" + relative
        let (base, suffix) = Self.split(relative)
        guard let name = KeyName.kept(as: base) else {
            return set.note("\(file): no key can have this name: letters, digits, - and _ make one")
        }
        if suffix == "disabled" { return set.disable(name) }
        let number = suffix.isEmpty ? 1 : Int(suffix)
        guard let number, number > 0, !suffix.hasPrefix("0") else {
            return set.note("\(file): is no key: behind the dot stands a version's number, or `disabled`")
        }
        guard set.keys[name]?.versions[number] == nil else {
            let reason = "\(file): another file is version \(number) of \(name) too"
            return set.add(.unusable(reason), number: number, to: name)
        }
        set.add(version, number: number, to: name)
    }

    private mutating func version(_ file: String, _ status: KeyFileStatus) -> KeySet.Version {
        if let known = known[file], known.status == status { return known.version }
        let version = Self.read(file, status)
        known[file] = (status, version)
        return version
    }

    private static func read(_ file: String, _ status: KeyFileStatus) -> KeySet.Version {
        if let objection = status.objection(file) { return .unusable(objection) }
        do throws(DiskError) {
            let content = try POSIXDisk().open(file, .read).read(4096, at: 0)
            guard let root = KeyText.root(file: content) else {
                return .unusable(
                    "\(file): found \(content.count) bytes that are no key: expected 32 raw ones, 64 hexadecimal digits, or base64"
                )
            }
            return .usable(root)
        } catch {
            return .unusable(error.description)
        }
    }

    /// The part before the last name's dot, and what stands behind it.
    private static func split(_ path: String) -> (base: String, suffix: String) {
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return (path, "") }
        return (String(path[..<dot]), String(path[path.index(after: dot)...]))
    }

    /// Makes a key of random bits, for its owner's eyes only, durably. Keeps the one there is.
    mutating func make(_ relative: String) throws(DiskError) {
        let file = path + "/" + relative
        try POSIXDisk().makeFolders(POSIXDisk.parent(file))
        if POSIXDisk().exists(file) { return }
        var random = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        let text = (0..<2 * RootKey.size).map { _ in digits[Int.random(in: 0..<16, using: &random)] }
        // A name with a dot in front is no key: one that was begun and not finished is passed over.
        let temporary = POSIXDisk.parent(file) + "/.made"
        try POSIXDisk().remove(temporary)
        try POSIXDisk().replace(temporary, with: text + [0x0A])
        try POSIXDisk().move(temporary, to: file)
        try POSIXDisk().syncFolder(POSIXDisk.parent(file))
    }
}
