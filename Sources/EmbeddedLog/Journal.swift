import CChecksums
import DiskIO
import Logging
import ShardLog
import Synchronization

/// Makes a group that touches many shards durable with one sync.
///
///     DIRECTORY/journal/<generation, 16 hexadecimal digits>.journal
///         0 u32 'MRJN' | 4 u8 version = 2 | 3 zeros | 8 u64 generation | 16 u64 first sequence
///         | 24 u32 CRC-32C of the 24 bytes before | zeros | 4096 groups
///
/// In version 1 the groups begin at 32. Nobody reads a group but after a crash, so it goes to the disk past the page cache, where
/// the file system can: with 1,000 active shards that saves 9 % of the processor time.
///
/// Groups are appended to the newest file. A full one waits until all that it holds is synced in the segments (`release`), and
/// is then used again: writing over bytes that are there is faster to sync than appending, since no size changes.
///
/// A group whose write or sync failed may be on the disk all the same. The next file's first sequence says that it does not
/// count, and nothing else is written before that file is durable.
final class Journal: Sendable {
    static let folder = "journal"
    static let suffix = ".journal"
    private static let magic: UInt32 = 0x4E4A_524D
    private static let header = 32
    private static let version: UInt8 = 2
    /// Everything is written in whole blocks of so many bytes.
    static let block = 4096

    private struct File {
        var generation: UInt64
        var file: any DiskFile
        /// Where the next group goes.
        var end: UInt64
        /// As far as the file reaches.
        var size: UInt64
        /// Shards with frames in it.
        var shards: [ShardFolder] = []
    }

    /// A full file, whose shards are to be synced before it is let go of.
    struct Full: Sendable {
        var generation: UInt64
        var shards: [ShardFolder]
    }

    private struct State {
        var current: File?
        var full: [Full] = []
        /// Let go of.
        var free: [UInt64] = []
        var nextGeneration: UInt64
        var nextSequence: UInt64 = 1
        /// The last group that is synced.
        var syncedSequence: UInt64 = 0
        /// A group failed: a new file must say so first.
        var isBroken = false
    }

    /// So far ahead of a small group the file is made, and of zeros.
    private static let aheadBytes: UInt64 = 1 << 20
    /// From so many bytes on a group costs more than making the file longer.
    private static let smallBytes = 256 << 10

    private let directory: String
    private let disk: any Disk
    private let fileBytes: UInt64
    private let state: Mutex<State>
    /// Held while files are read back, which a thread does while others go on: one at a time, for each takes a file's memory,
    /// and no file that it may be at is removed or used again.
    private let reading = Mutex(())

    /// A journal whose folder is there and holds no file.
    ///
    /// - Parameter fileBytes: a file takes no more groups when it is so large.
    init(directory: String, disk: any Disk, fileBytes: UInt64, nextGeneration: UInt64) {
        self.directory = directory
        self.disk = disk
        self.fileBytes = fileBytes
        state = Mutex(State(nextGeneration: nextGeneration))
    }

    static func path(_ directory: String, _ generation: UInt64) -> String {
        "\(directory)/\(folder)/\(Segment.hexadecimal(generation))\(suffix)"
    }

    private func path(_ generation: UInt64) -> String { Self.path(directory, generation) }

    /// Files that wait for their shards.
    var full: [Full] { state.withLock { $0.full } }

    /// Whether anything in it is not let go of.
    var isEmpty: Bool { state.withLock { $0.full.isEmpty && $0.current == nil } }

    /// After a failure: makes sure that the group that failed counts for nothing, whatever the disk has of it.
    func repair() throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            guard state.isBroken else { return }
            try begin(&state)
            try state.current?.file.sync()
            state.isBroken = false
        }
    }

    /// Writes a group; `sync` makes it durable.
    func write(_ group: JournalGroup, of shards: some Sequence<ShardFolder>) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            if state.current.map({ $0.end >= fileBytes }) ?? true { try begin(&state) }
            guard var file = state.current else { return }
            // Also a group that fails has taken its number: the next file starts behind it.
            do throws(DiskError) {
                try lengthen(&file, for: group)
                try group.write(to: file.file, at: file.end, generation: file.generation, sequence: state.nextSequence)
            } catch {
                state.isBroken = true
                throw error
            }
            state.nextSequence += 1
            file.end += UInt64(group.length)
            file.size = max(file.size, file.end)
            state.current = file
            for shard in shards where shard.committing.journal != file.generation {
                shard.committing.journal = file.generation
                state.current?.shards.append(shard)
            }
        }
    }

    /// Makes the file longer than a small group needs. To sync a group that stands in a file's middle takes half of the time: no
    /// size changes. What is written anew stands in the file's middle anyway.
    private func lengthen(_ file: inout File, for group: JournalGroup) throws(DiskError) {
        let (first, block) = (file.end + UInt64(group.length), UInt64(Self.block))
        guard group.length < Self.smallBytes, file.size < first, first < fileBytes else { return }
        let end = (min(first + Self.aheadBytes, fileBytes) + block - 1) / block * block
        let zeros = FrameMemory(count: Int(end - first), alignment: Self.block)
        zeros.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        try file.file.write(UnsafeRawBufferPointer(zeros.bytes), at: first)
        extendLifetime(zeros)
        file.size = end
    }

    /// Makes the last group durable. After a failure it counts for nothing.
    func sync() throws(DiskError) {
        guard let file = state.withLock({ $0.current?.file }) else { return }
        do throws(DiskError) {
            try file.sync()
            state.withLock { $0.syncedSequence = $0.nextSequence - 1 }
        } catch {
            state.withLock { state in
                state.isBroken = true
                // The next file's first sequence is that of the failed group.
                state.nextSequence -= 1
            }
            throw error
        }
    }

    /// Takes the newest file out of use, full or not.
    func rotate() {
        state.withLock { state in
            guard let current = state.current else { return }
            state.full.append(Full(generation: current.generation, shards: current.shards))
            state.current = nil
        }
    }

    /// Begins the next file, in place of a free one where there is one.
    private func begin(_ state: inout State) throws(DiskError) {
        let generation = state.nextGeneration
        let target = path(generation)
        let file: any DiskFile
        if try reuse(&state, as: target) {
            file = try disk.open(target, .write)
        } else {
            file = try disk.open(target, .replace)
        }
        file.passCache(true)
        let size = max(try file.size(), UInt64(Self.block))
        try Self.writeHeader(generation, firstSequence: state.nextSequence, to: file)
        try disk.syncFolder(directory + "/" + Self.folder)
        if let current = state.current {
            state.full.append(Full(generation: current.generation, shards: current.shards))
        }
        state.nextGeneration += 1
        state.current = File(generation: generation, file: file, end: UInt64(Self.block), size: size)
    }

    private static func writeHeader(
        _ generation: UInt64,
        firstSequence: UInt64,
        to file: any DiskFile
    ) throws(DiskError) {
        var bytes: [UInt8] = []
        bytes.append(little: magic)
        bytes += [version, 0, 0, 0]
        bytes.append(little: generation)
        bytes.append(little: firstSequence)
        bytes.append(little: checksum(bytes))
        let memory = FrameMemory(count: block, alignment: block)
        memory.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        memory.bytes.copyBytes(from: bytes)
        try file.write(UnsafeRawBufferPointer(memory.bytes), at: 0)
        extendLifetime(memory)
    }

    /// Moves a free file; false when there is none.
    private func reuse(_ state: inout State, as target: String) throws(DiskError) -> Bool {
        guard let free = state.free.first else { return false }
        let isMoved = try reading.withLockIfAvailable { _ throws(DiskError) in
            try disk.move(path(free), to: target)
            return true
        }
        guard isMoved == true else { return false }
        state.free.removeFirst()
        return true
    }

    /// Lets go of the oldest full file: all that it holds is durable elsewhere. Two files are kept to be used again.
    func release(_ generation: UInt64) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            guard state.full.first?.generation == generation else { return }
            if state.free.count >= 2, let oldest = state.free.first {
                let isRemoved = try reading.withLockIfAvailable { _ throws(DiskError) in
                    try Self.remove(directory, oldest, on: disk)
                    return true
                }
                if isRemoved == true { state.free.removeFirst() }
            }
            state.free.append(generation)
            state.full.removeFirst()
        }
    }

    /// Removes the files that are let go of.
    func removeFree() throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            while let generation = state.free.first {
                try Self.remove(directory, generation, on: disk)
                state.free.removeFirst()
            }
        }
    }

    /// Removes a file, durably before a later one may go: that may be what says that a group of this one does not count.
    static func remove(_ directory: String, _ generation: UInt64, on disk: any Disk) throws(DiskError) {
        try disk.remove(path(directory, generation))
        try disk.syncFolder(directory + "/" + folder)
    }

    // MARK: - Reading

    /// The generations there are, oldest first.
    static func generations(_ directory: String, on disk: any Disk) throws(DiskError) -> [UInt64] {
        try disk.list(directory + "/" + folder).compactMap { name in
            name.hasSuffix(suffix) ? UInt64(name.dropLast(suffix.count), radix: 16) : nil
        }.sorted()
    }

    /// Calls `body` with each entry that counts and is not let go of, oldest first, and with the bytes it is of.
    func forEachEntry(_ body: (JournalGroup.Entry, [UInt8]) throws(DiskError) -> Void) throws(DiskError) {
        try reading.withLock { _ throws(DiskError) in
            let (generations, synced) = state.withLock { state in
                (state.full.map(\.generation) + (state.current.map { [$0.generation] } ?? []), state.syncedSequence)
            }
            try Self.forEachFile(directory, generations, on: disk) { content throws(DiskError) in
                for group in content.groups where group.sequence <= synced {
                    for entry in group.entries { try body(entry, content.bytes) }
                }
            }
        }
    }

    /// Calls `body` with each file that was begun, oldest first; one is in memory at a time. A group that failed may be there
    /// all the same: a later file that begins with its sequence says so, and it is left out.
    static func forEachFile(
        _ directory: String,
        _ generations: [UInt64],
        on disk: any Disk,
        _ body: (Content) throws(DiskError) -> Void
    ) throws(DiskError) {
        var begun: [(generation: UInt64, firstSequence: UInt64)] = []
        for generation in generations {
            let file = try disk.open(path(directory, generation), .read)
            let first = firstSequence(try file.read(header, at: 0), generation)
            if let first { begun.append((generation, first)) }
        }
        for (index, file) in begun.enumerated() {
            guard var content = try read(directory, file.generation, on: disk) else { continue }
            let end = begun[(index + 1)...].map(\.firstSequence).min() ?? .max
            content.groups.removeAll { $0.sequence >= end }
            try body(content)
        }
    }

    /// Shards that have frames in them.
    var shards: [ShardFolder] {
        state.withLock { $0.full.flatMap(\.shards) + ($0.current?.shards ?? []) }
    }

    /// A file as it was read.
    struct Content {
        var bytes: [UInt8]
        var groups: [(sequence: UInt64, entries: [JournalGroup.Entry])]
    }

    private static func checksum(_ header: [UInt8]) -> UInt32 {
        header.withUnsafeBytes { millrace_crc32c(0, $0.baseAddress, 24) }
    }

    /// What a file's header says; nil when the file was never begun.
    private static func firstSequence(_ bytes: [UInt8], _ generation: UInt64) -> UInt64? {
        guard isBegun(bytes, generation), (1...version).contains(bytes[4]) else { return nil }
        return bytes.load(UInt64.self, 16)
    }

    private static func isBegun(_ bytes: [UInt8], _ generation: UInt64) -> Bool {
        bytes.count >= header && bytes.load(UInt32.self, 0) == magic && bytes.load(UInt64.self, 8) == generation
            && bytes.load(UInt32.self, 24) == checksum(bytes)
    }

    /// The version of a file that another Millrace has begun and this one can't read; nil for any other file.
    static func foreignVersion(_ directory: String, _ generation: UInt64, on disk: any Disk) throws(DiskError) -> UInt8?
    {
        let bytes = try disk.open(path(directory, generation), .read).read(header, at: 0)
        guard isBegun(bytes, generation), !(1...version).contains(bytes[4]) else { return nil }
        return bytes[4]
    }

    /// The whole groups of a file; nil when it was never begun.
    static func read(_ directory: String, _ generation: UInt64, on disk: any Disk) throws(DiskError) -> Content? {
        let file = try disk.open(path(directory, generation), .read)
        let bytes = try file.read(Int(try file.size()), at: 0)
        guard let firstSequence = firstSequence(bytes, generation) else { return nil }
        var content = Content(bytes: bytes, groups: [])
        var at = bytes[4] == 1 ? header : block
        var next = firstSequence
        while let group = JournalGroup.read(bytes, at: at, generation: generation), group.sequence == next {
            content.groups.append((group.sequence, group.entries))
            (at, next) = (group.end, next + 1)
        }
        return content
    }
}
