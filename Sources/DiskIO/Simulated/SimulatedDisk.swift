import Glibc
import Synchronization

/// A disk in memory that loses, tears, reorders and refuses, decided by a seed: the same seed and the same calls give the same
/// disk. It begins as an empty root folder without faults; relative paths start at the root.
///
/// Without faults it answers as ``POSIXDisk`` does on ext4, errors included. What it does beyond that:
/// - ``crash()`` is a power cut: of what is not synced some survives. `SimulatedContents` has the rules for bytes,
///   `SimulatedJournal` those for names.
/// - ``kill()`` is a SIGKILL: nothing is lost, but nothing more is durable either.
/// - ``setFaults(_:)`` makes calls fail. What strikes a file or folder depends on the order of the calls to it alone, so that
///   threads at work in different places leave a run repeatable.
public final class SimulatedDisk: Disk {
    /// The longest a file can be, in bytes: EFBIG beyond. Files are held in memory, holes included.
    public static let longestFile = 1 << 30

    /// What decides.
    public let seed: UInt64
    let machine: Mutex<SimulatedMachine>

    /// An empty disk. `traceLimit` is how many operations ``trace`` goes back.
    public init(seed: UInt64, traceLimit: Int = 200) {
        self.seed = seed
        machine = Mutex(SimulatedMachine(seed: seed, traceLimit: traceLimit))
    }

    /// Replaces the faults: a test ends its bad weather with `Faults()`.
    public func setFaults(_ faults: Faults) { machine.withLock { $0.faults = faults } }

    /// What happened so far.
    public var counters: Counters { machine.withLock { $0.counters } }

    /// Bytes of all files.
    public var used: UInt64 { machine.withLock { $0.used } }

    /// The last operations, a line for each, the oldest first.
    public var trace: [String] { machine.withLock { $0.trace }.lines }

    /// A power cut. All open files are invalid: calls on them throw EIO. Locks are gone. What is left is what the next process
    /// finds.
    public func crash() { machine.withLock { $0.crash() } }

    /// The process is killed, the machine stays up: what was written is there, and what was not synced is still at stake. Open
    /// files are invalid and locks gone, as after ``crash()``.
    public func kill() { machine.withLock { $0.kill() } }

    /// A power cut in the midst of what a program does: `count` more operations are carried out, the next one comes too late.
    /// Replaces an end that was ordered before; a power cut or kill of itself cancels it. `counters` says whether it has come,
    /// and how many operations there were.
    public func crash(afterOperations count: Int) { machine.withLock { $0.end = (count, true) } }

    /// As ``crash(afterOperations:)``, with a SIGKILL.
    public func kill(afterOperations count: Int) { machine.withLock { $0.end = (count, false) } }

    /// The disk as the process sees it that runs now. After ``crash()`` or ``kill()`` every call through it throws EIO, and
    /// `exists` says no: threads of an engine that has died can't meddle with what the next one finds.
    public func process() -> any Disk {
        SimulatedProcess(disk: self, process: machine.withLock { $0.process })
    }

    /// The page cache lets go of what is clean: bytes that a failed sync dropped now read as they are on the medium.
    public func evict() {
        machine.withLock { machine in
            for path in machine.root.paths(under: "", \.entries) {
                if case .file(let file) = try? machine.root.node(path, "evict") { file.contents.evict() }
            }
        }
    }

    /// Turns over `count` different bits of a file, within a range of its bytes or anywhere, on the medium too. Returns the
    /// offsets of their bytes, rising. Throws ENOENT when there is no such file; flips fewer when there are not so many.
    @discardableResult
    public func flipBits(in path: String, _ count: Int, within range: Range<UInt64>? = nil) throws(DiskError)
        -> [UInt64]
    {
        try machine.withLock { machine throws(DiskError) in
            guard case .file(let file) = try machine.root.node(path, "flip bits") else {
                throw DiskError("flip bits", path, number: EISDIR)
            }
            let bytes = 0..<UInt64(file.contents.bytes.count)
            let chosen = range?.clamped(to: bytes) ?? bytes
            var bits: Set<Int> = []
            while bits.count < min(count, chosen.count * 8) {
                bits.insert(Int(chosen.lowerBound) * 8 + file.dice.below(chosen.count * 8))
            }
            for bit in bits { file.contents.flip(bit: bit) }
            let event = SimulatedTrace.Event(operation: "flip bits", path: path, detail: "\(bits.sorted())")
            machine.trace.note(event)
            return bits.map { UInt64($0 / 8) }.sorted()
        }
    }

    /// What no power cut can take of a file; nil when its name is not durable or names no file.
    public func durable(_ path: String) -> [UInt8]? {
        machine.withLock { machine in
            var node = SimulatedNode.folder(machine.root)
            for name in path.split(separator: "/") {
                guard case .folder(let folder) = node, let inner = folder.durable[String(name)] else { return nil }
                node = inner
            }
            guard case .file(let file) = node else { return nil }
            return file.contents.durable
        }
    }

    /// All files and folders, sorted; folders end with a slash.
    public var paths: [String] { machine.withLock { $0.root.paths(under: "", \.entries) } }
}

extension SimulatedFolder {
    /// All that is in it and in what is in it, as paths behind `path`, sorted by name in each folder.
    func paths(under path: String, _ names: (SimulatedFolder) -> [String: SimulatedNode]) -> [String] {
        names(self).sorted { $0.key < $1.key }.flatMap { name, node in
            let inner = path + "/" + name
            return switch node {
            case .file: [inner]
            case .folder(let folder): [inner + "/"] + folder.paths(under: inner, names)
            }
        }
    }
}

// The seam. Each call belongs to the process that runs now.
extension SimulatedDisk {
    public func open(_ path: String, _ access: DiskAccess) throws(DiskError) -> any DiskFile {
        try process().open(path, access)
    }

    public func makeFolder(_ path: String) throws(DiskError) -> Bool { try process().makeFolder(path) }

    public func list(_ path: String) throws(DiskError) -> [String] { try process().list(path) }

    public func exists(_ path: String) -> Bool { process().exists(path) }

    public func syncFolder(_ path: String) throws(DiskError) { try process().syncFolder(path) }

    public func move(_ from: String, to: String) throws(DiskError) { try process().move(from, to: to) }

    public func remove(_ path: String) throws(DiskError) { try process().remove(path) }

    public func removeFolder(_ path: String) throws(DiskError) { try process().removeFolder(path) }

    public func freeBytes(_ path: String) throws(DiskError) -> UInt64 { try process().freeBytes(path) }

    public func removeEmptyFolder(_ path: String) throws(DiskError) -> Bool {
        try process().removeEmptyFolder(path)
    }
}
