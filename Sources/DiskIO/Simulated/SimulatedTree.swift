import Glibc

/// A file or a folder.
enum SimulatedNode: Sendable {
    case file(SimulatedInode)
    case folder(SimulatedFolder)

    var isFolder: Bool {
        switch self {
        case .file: false
        case .folder: true
        }
    }
}

/// A file, whatever its name. `@unchecked`: touched only under the mutex of its disk.
final class SimulatedInode: @unchecked Sendable {
    var contents = SimulatedContents()
    /// Whether it has a name.
    var isNamed = true
    /// How many have it open.
    var opens = 0
    /// Syncs that failed, whoever asked for them.
    var failures = 0
    var lock = SimulatedLock()
    /// Its own, so that its faults don't depend on what happens to other files meanwhile.
    var dice: Dice

    init(dice: Dice) { self.dice = dice }

    func failSync() {
        contents.failSync(&dice)
        failures += 1
    }

    /// What an open file that has heard of so many failures is told by its next sync: of one that somebody else's sync met, such
    /// as that of the whole disk, each of them hears once. See: `lib/errseq.c` of Linux. There also whoever opens the file
    /// later may hear of it; here nobody does, which is the worse case.
    func tell(_ seen: inout Int) -> Bool {
        defer { seen = failures }
        return seen != failures
    }
}

/// A folder. `@unchecked`: touched only under the mutex of its disk.
final class SimulatedFolder: @unchecked Sendable {
    /// What programs see.
    var entries: [String: SimulatedNode] = [:]
    /// What no power cut can take.
    var durable: [String: SimulatedNode] = [:]
    var lock = SimulatedLock()
    var dice: Dice

    init(dice: Dice) { self.dice = dice }
}

/// Which open file has something for itself.
struct SimulatedLock {
    private var holder: Int?

    mutating func take(_ file: Int) -> Bool {
        if let holder { return holder == file }
        holder = file
        return true
    }

    mutating func release(_ file: Int) {
        if holder == file { holder = nil }
    }
}

/// Where a path leads.
struct SimulatedPlace {
    /// The folder of the last name, after its parents from the root on.
    var folders: [SimulatedFolder]
    /// The last name; nil when the path ends at a folder without naming it: `/`, `.`, `..`.
    var name: String?
    /// What is there.
    var node: SimulatedNode?
    /// Whether the path ends with a slash.
    var endsWithSlash: Bool

    var folder: SimulatedFolder { folders[folders.count - 1] }
}

extension SimulatedFolder {
    /// Looks a path up from this folder, the root; relative paths start here too.
    /// See: man 7 path_resolution.
    func place(_ path: String, _ operation: String) throws(DiskError) -> SimulatedPlace {
        if path.isEmpty { throw DiskError(operation, path, number: ENOENT) }
        if path.utf8.count >= 4096 { throw DiskError(operation, path, number: ENAMETOOLONG) }
        let names = path.split(separator: "/")
        var folders = [self]
        for (index, name) in names.enumerated() {
            let isLast = index == names.count - 1
            if name == "." || name == ".." {
                if name == "..", folders.count > 1 { folders.removeLast() }
                continue
            }
            if name.utf8.count > 255 { throw DiskError(operation, path, number: ENAMETOOLONG) }
            let node = folders[folders.count - 1].entries[String(name)]
            if isLast {
                return SimulatedPlace(
                    folders: folders,
                    name: String(name),
                    node: node,
                    endsWithSlash: path.utf8.last == UInt8(ascii: "/")
                )
            }
            switch node {
            case .folder(let folder): folders.append(folder)
            case .file: throw DiskError(operation, path, number: ENOTDIR)
            case nil: throw DiskError(operation, path, number: ENOENT)
            }
        }
        return SimulatedPlace(
            folders: folders,
            name: nil,
            node: .folder(folders[folders.count - 1]),
            endsWithSlash: false
        )
    }

    /// What a path leads to; throws when there is nothing.
    func node(_ path: String, _ operation: String) throws(DiskError) -> SimulatedNode {
        let place = try place(path, operation)
        guard let node = place.node else { throw DiskError(operation, path, number: ENOENT) }
        if place.endsWithSlash, !node.isFolder { throw DiskError(operation, path, number: ENOTDIR) }
        return node
    }

    /// The folder a path leads to; throws when there is none.
    func folder(_ path: String, _ operation: String) throws(DiskError) -> SimulatedFolder {
        guard case .folder(let folder) = try node(path, operation) else {
            throw DiskError(operation, path, number: ENOTDIR)
        }
        return folder
    }
}
