import Glibc

/// Lists folders and finds the files of a pattern. A folder whose modification time has not moved is not listed again.
struct FolderScanner {
    /// One look at all matching files.
    struct Snapshot {
        /// Paths of each file found, in the order of the listing. More than one are hard or symbolic links.
        var paths: [FileKey: [String]] = [:]
        var statuses: [FileKey: FileStatus] = [:]
        /// Folders that could not be listed, with the system's error number; 0: it holds a name that is not UTF-8.
        var failures: [String: Int32] = [:]
        /// Matching names behind which no file can be looked at, as a loop of links, with the system's error number.
        var unresolved: [String: Int32] = [:]
    }

    private struct Listing {
        var key: FileKey
        var modified: Int64
        /// Whether an entry may have been made in the same tick of the clock after listing.
        var isSettled: Bool
        var names: [String]
        var unusable: Bool
        /// Names that match a glob, by the glob; compressed ones left out.
        var matching: [String: [String]] = [:]
    }

    /// File systems stamp changes by the kernel's tick, at most 10 ms; network ones by whole seconds.
    private static let settleNanoseconds: Int64 = 2_000_000_000

    private let pattern: FilePattern
    private var listings: [String: Listing] = [:]
    private var used: Set<String> = []
    private var revision: UInt64 = 0

    /// Rises when any listed folder has other names in it.
    var currentRevision: UInt64 { revision }

    init(_ pattern: FilePattern) { self.pattern = pattern }

    mutating func scan() throws(FileTailError) -> Snapshot {
        var snapshot = Snapshot()
        used = []
        for parts in pattern.alternatives { try visit("", parts[...], depth: 0, &snapshot) }
        if listings.count > 2 * used.count + 16 { listings = listings.filter { used.contains($0.key) } }
        return snapshot
    }

    /// The names in a folder, compressed ones left out.
    mutating func names(in folder: String) throws(FileTailError) -> [String] {
        var ignored = Snapshot()
        return try matching("*", in: folder, &ignored)
    }

    private mutating func visit(
        _ folder: String,
        _ parts: ArraySlice<FilePattern.Part>,
        depth: Int,
        _ snapshot: inout Snapshot
    ) throws(FileTailError) {
        guard let part = parts.first else { return }
        let rest = parts.dropFirst()
        switch part {
        case .literal(let name):
            if rest.isEmpty {
                if !FilePattern.isCompressed(name) { add("\(folder)/\(name)", &snapshot) }
            } else {
                try visit("\(folder)/\(name)", rest, depth: depth, &snapshot)
            }
        case .glob(let glob):
            for name in try matching(glob, in: folder, &snapshot) {
                if rest.isEmpty {
                    add("\(folder)/\(name)", &snapshot)
                } else if FileStatus(path: "\(folder)/\(name)")?.isFolder == true {
                    try visit("\(folder)/\(name)", rest, depth: depth, &snapshot)
                }
            }
        case .anyFolders:
            try visit(folder, rest, depth: depth, &snapshot)
            guard depth < 64 else { return }
            // Links are not followed here: they could lead back.
            for name in try matching("*", in: folder, &snapshot) where Self.isRealFolder("\(folder)/\(name)") {
                try visit("\(folder)/\(name)", parts, depth: depth + 1, &snapshot)
            }
        }
    }

    private static func isRealFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private func add(_ path: String, _ snapshot: inout Snapshot) {
        guard let status = FileStatus(path: path) else {
            let code = errno
            // Gone since the listing, or a link to nothing: what may come will be seen.
            if code != ENOENT { snapshot.unresolved[path] = code }
            return
        }
        guard status.isRegular else { return }
        if snapshot.paths[status.key]?.contains(path) == true { return }
        snapshot.paths[status.key, default: []].append(path)
        snapshot.statuses[status.key] = status
    }

    private mutating func matching(
        _ glob: String,
        in folder: String,
        _ snapshot: inout Snapshot
    ) throws(FileTailError) -> [String] {
        let path = folder.isEmpty ? "/" : folder
        guard let status = FileStatus(path: path), status.isFolder else {
            if errno == EACCES { snapshot.failures[path] = EACCES }
            return []
        }
        used.insert(path)
        let current = listings[path]
        let isFresh = current.map { $0.isSettled && $0.key == status.key && $0.modified == status.modified } ?? false
        if !isFresh {
            switch Self.list(path) {
            case .success(let names, let unusable):
                let now = SystemTime.milliseconds() * 1_000_000
                if current?.names != names { revision += 1 }
                listings[path] = Listing(
                    key: status.key,
                    modified: status.modified,
                    isSettled: now - status.modified > Self.settleNanoseconds,
                    names: names,
                    unusable: unusable
                )
            case .failure(let code):
                if [EMFILE, ENFILE, ENOMEM].contains(code) { throw .outOfResources(code) }
                snapshot.failures[path] = code
                return []
            }
        }
        if listings[path]?.unusable == true { snapshot.failures[path] = 0 }
        if let names = listings[path]?.matching[glob] { return names }
        let names =
            listings[path]?.names.filter { !FilePattern.isCompressed($0) && FilePattern.matches($0, glob) } ?? []
        listings[path]?.matching[glob] = names
        return names
    }

    private enum Listed {
        case success([String], unusable: Bool)
        case failure(Int32)
    }

    private static func list(_ path: String) -> Listed {
        guard let folder = opendir(path) else { return .failure(errno) }
        defer { closedir(folder) }
        var names: [String] = []
        var unusable = false
        while true {
            errno = 0
            guard let entry = readdir(folder) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
            }
            guard let name else {
                unusable = true
                continue
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return errno == 0 ? .success(names.sorted(), unusable: unusable) : .failure(errno)
    }
}
