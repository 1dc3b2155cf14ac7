import Glibc

/// A file system: the seam behind which the real one and a simulated, faulty one stand. Every call is the system call of its
/// name, with errors as values.
///
/// What is durable: a file's bytes and size after its `sync`; names (made, moved, removed) after `syncFolder` of their folder.
/// After a `sync` that failed nothing unsynced of the file can be trusted, whatever a later `sync` says.
public protocol Disk: Sendable {
    /// Opens a file; a new one has mode 0600.
    func open(_ path: String, _ access: DiskAccess) throws(DiskError) -> any DiskFile
    /// Makes one folder, mode 0700. Returns false when there is something of that name.
    func makeFolder(_ path: String) throws(DiskError) -> Bool
    /// The names in a folder, sorted, without `.` and `..`.
    func list(_ path: String) throws(DiskError) -> [String]
    /// Whether there is something of that name.
    func exists(_ path: String) -> Bool
    /// Makes the names in a folder durable.
    func syncFolder(_ path: String) throws(DiskError)
    /// Moves a name; durable after `syncFolder` of both folders.
    func move(_ from: String, to: String) throws(DiskError)
    /// Removes a file. Succeeds when there is none.
    func remove(_ path: String) throws(DiskError)
    /// Removes a folder with all that is in it.
    func removeFolder(_ path: String) throws(DiskError)
    /// Bytes that may still be written where a path is.
    func freeBytes(_ path: String) throws(DiskError) -> UInt64
    /// Removes a folder. Returns false when something is in it.
    func removeEmptyFolder(_ path: String) throws(DiskError) -> Bool
}

/// What a file is opened for.
public enum DiskAccess: Sendable {
    /// Reading a file that is there.
    case read
    /// Reading and writing a file that is there.
    case write
    /// Reading and writing; the file is made when there is none.
    case create
    /// Reading and writing a file that is not there yet.
    case createNew
    /// Reading and writing an empty file, whatever was there.
    case replace
}

/// An open file. Closed with its last reference.
public protocol DiskFile: AnyObject, Sendable {
    /// Where it was opened.
    var path: String { get }
    /// Bytes in the file.
    func size() throws(DiskError) -> UInt64
    /// Writes pieces one behind the other.
    func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64) throws(DiskError)
    /// Reads up to the buffer's size; returns the bytes read, fewer only at the file's end.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int
    /// Makes data and size durable (fdatasync).
    func sync() throws(DiskError)
    /// Makes durable all that was written on the file's file system, names too (syncfs). Throws when something of it is not,
    /// without saying what: also what was written since the file was opened or this was called last, and failed meanwhile.
    func syncAll() throws(DiskError)
    /// Hands what is not written yet to the disk, and waits for that where `waits` is true. It makes nothing durable, and takes
    /// work off the sync that follows. An error means what a sync's does, and no later one tells of it.
    func writeOut(waits: Bool) throws(DiskError)
    /// Cuts the file, or lengthens it with zeros.
    func truncate(to size: UInt64) throws(DiskError)
    /// Asks that what is written goes to the disk past the page cache (O_DIRECT), where the file system can, or through it again:
    /// for bytes that nobody reads soon, written in whole blocks. Place, size and memory of a write must be multiples of the disk's
    /// blocks, of 4096 bytes as a rule; where one is not, or is read through this file, all go through the cache from then on. It
    /// says nothing of what is durable: `sync` is needed as ever. See: man 2 open.
    func passCache(_ passes: Bool)
    /// Takes the file for this process alone; false when another one has it.
    func lock() throws(DiskError) -> Bool
}

extension Disk {
    /// Makes a folder with its parents, and makes the names durable.
    public func makeFolders(_ path: String) throws(DiskError) {
        do throws(DiskError) {
            _ = try makeFolder(path)
        } catch {
            guard error.number == ENOENT, path.contains("/") else { throw error }
            try makeFolders(Self.parent(path))
            _ = try makeFolder(path)
        }
        // Also when it was there: whoever made it may not have lived to make its name durable.
        try syncFolder(Self.parent(path))
    }

    /// Writes a small file whole or not at all, durably.
    public func replace(_ path: String, with bytes: [UInt8]) throws(DiskError) {
        let temporary = path + ".new"
        let file = try open(temporary, .replace)
        try file.write(bytes, at: 0)
        try file.sync()
        try move(temporary, to: path)
        try syncFolder(Self.parent(path))
    }

    /// The folder a path's last name stands in.
    public static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

extension DiskFile {
    /// Nothing: all is written as ever.
    public func passCache(_ passes: Bool) {}

    /// Writes all bytes at an offset.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
        var failure: DiskError?
        withUnsafePointer(to: bytes) { piece in
            do throws(DiskError) {
                try write(UnsafeBufferPointer(start: piece, count: 1), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Writes all bytes at an offset.
    public func write(_ bytes: [UInt8], at offset: UInt64) throws(DiskError) {
        try bytes.withUnsafeBufferPointer { bytes throws(DiskError) in
            try write(UnsafeRawBufferPointer(bytes), at: offset)
        }
    }

    /// Reads `count` bytes, or what there is of them.
    public func read(_ count: Int, at offset: UInt64) throws(DiskError) -> [UInt8] {
        var failure: DiskError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(DiskError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
