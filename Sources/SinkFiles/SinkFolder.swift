import Synchronization

/// A file that is complete and synced under its temporary name: what must be remembered before it is moved, so that after
/// a crash `SinkFolder.recover` can tell whether it was.
public struct PendingFile: Sendable, Equatable {
    /// Its name in the folder of unfinished files.
    public var temporary: String
    /// Where it belongs, relative to the sink's folder.
    public var final: SinkPath
    /// Its size.
    public var byteCount: Int

    /// A file on its way.
    public init(temporary: String, final: SinkPath, byteCount: Int) {
        self.temporary = temporary
        self.final = final
        self.byteCount = byteCount
    }
}

/// A folder that finished files appear in, whole or not at all.
///
/// ```
/// <root>/.inprogress/<owner>.<random>   being written          mode 0640, folders 0750
/// <root>/2026/11/21/05/<name>           finished, never touched again
/// ```
/// Both lie in one file system, so that `rename` is what finishes a file.
public final class SinkFolder: Sendable {
    /// The folder of unfinished files.
    static let unfinished = ".inprogress"

    /// The folder's path, without a slash at its end.
    public let root: String
    let disk: SinkDisk
    /// Folders whose entry in their parent is known to be durable.
    private let durable = Mutex<Set<String>>([])

    /// Names a folder; nothing is made before the first file. `fault` is for tests.
    public init(root: String, fault: SinkFault? = nil) {
        var root = root
        while root.count > 1, root.hasSuffix("/") { root.removeLast() }
        self.root = root
        disk = SinkDisk(fault: fault)
    }

    func temporaryPath(_ name: String) -> String { "\(root)/\(Self.unfinished)/\(name)" }

    /// Starts a file. `owner` (no `.` or `/` in it) groups the unfinished files that one
    /// `sweep` removes. Throws `SinkError`.
    public func open(owner: String) throws(SinkError) -> SinkWriter {
        var generator = SystemRandomNumberGenerator()
        let temporary = "\(owner).\(RandomName.uuid(using: &generator))"
        let descriptor = try rememberingAnew { () throws(SinkError) in
            try makeDurable([Self.unfinished])
            return try disk.create(temporaryPath(temporary))
        }
        return SinkWriter(folder: self, temporary: temporary, descriptor: descriptor)
    }

    /// Moves a prepared file to its place, durably. Throws `SinkError`; after an error only `recover` tells whether it is
    /// there.
    public func finalize(_ file: PendingFile) throws(SinkError) {
        let folders = Array(file.final.components.dropLast())
        try rememberingAnew { () throws(SinkError) in
            try makeDurable(folders)
            try disk.rename(temporaryPath(file.temporary), to: "\(root)/\(file.final)")
            try disk.syncFolder(([root] + folders).joined(separator: "/"))
            try disk.syncFolder("\(root)/\(Self.unfinished)")
        }
    }

    /// Finishes what a crash left between preparing and finalizing. True when the file is in its place, durably; false
    /// when there is no such file: its records have to be written again, and nothing of it remains. Throws `SinkError`.
    public func recover(_ file: PendingFile) throws(SinkError) -> Bool {
        let folders = Array(file.final.components.dropLast())
        if try disk.size("\(root)/\(file.final)") != nil {
            try makeDurable(folders)
            try disk.syncFolder(([root] + folders).joined(separator: "/"))
            try disk.remove(temporaryPath(file.temporary))
            return true
        }
        guard let size = try disk.size(temporaryPath(file.temporary)) else { return false }
        guard size == file.byteCount else {
            try disk.remove(temporaryPath(file.temporary))
            return false
        }
        try finalize(file)
        return true
    }

    /// Removes the owner's unfinished files, all but the one named; returns how many. Throws `SinkError`.
    @discardableResult
    public func sweep(owner: String, keeping kept: String? = nil) throws(SinkError) -> Int {
        var removed = 0
        for name in try disk.list("\(root)/\(Self.unfinished)") where name.hasPrefix(owner + ".") && name != kept {
            try disk.remove(temporaryPath(name))
            removed += 1
        }
        return removed
    }

    /// Makes the folders below the root, and the root; syncs the parent of each once in this object's life, since one
    /// that is there may be from a run that crashed before it synced.
    private func makeDurable(_ folders: [String]) throws(SinkError) {
        try makeRoot()
        var parent = root
        for folder in folders {
            let path = "\(parent)/\(folder)"
            if !durable.withLock({ $0.contains(path) }) {
                _ = try disk.makeFolder(path)
                try disk.syncFolder(parent)
                remember(path)
            }
            parent = path
        }
    }

    private func makeRoot() throws(SinkError) {
        if durable.withLock({ $0.contains(root) }) { return }
        let components = root.split(separator: "/").map(String.init)
        var path = root.hasPrefix("/") ? "" : "."
        for (index, component) in components.enumerated() {
            let parent = path.isEmpty ? "/" : path
            path += "/\(component)"
            let isLast = index == components.count - 1
            if !isLast, try disk.size(path) != nil { continue }
            let isNew = try disk.makeFolder(path)
            if isNew || isLast {
                do throws(SinkError) {
                    try disk.syncFolder(parent)
                } catch {
                    // Where the parent can't be opened, somebody else made the root and saw to it.
                    guard error.code == .denied else { throw error }
                }
            }
        }
        remember(root)
    }

    private func remember(_ path: String) {
        durable.withLock { known in
            if known.count > 4096 { known = [root] }
            known.insert(path)
        }
    }

    /// Somebody may remove a folder while we run: when something is missing, nothing is known of the folders any more.
    private func rememberingAnew<T>(_ body: () throws(SinkError) -> T) throws(SinkError) -> T {
        do throws(SinkError) {
            return try body()
        } catch {
            if error.code == .missing { durable.withLock { $0 = [] } }
            throw error
        }
    }
}
