import Glibc

/// An open file, or folder, of a simulated disk.
final class SimulatedFile: DiskFile {
    let path: String
    private let disk: SimulatedDisk
    private let node: SimulatedNode
    private let isWritable: Bool
    private let process: Int
    private let number: Int
    /// Failed syncs of the file that it was told of; touched only under the disk's mutex.
    nonisolated(unsafe) private var toldFailures = 0

    init(_ path: String, on disk: SimulatedDisk, _ node: SimulatedNode, _ access: DiskAccess, process: Int, number: Int)
    {
        self.path = path
        self.disk = disk
        self.node = node
        self.process = process
        self.number = number
        isWritable = access != .read
        if case .file(let file) = node { toldFailures = disk.machine.withLock { _ in file.failures } }
    }

    deinit {
        disk.machine.withLock { machine in
            // The end of a process closes its files.
            if machine.process == process { machine.close(node, number: number) }
        }
    }

    func size() throws(DiskError) -> UInt64 {
        try perform("fstat") { _ in
            switch node {
            case .file(let file): UInt64(file.contents.bytes.count)
            case .folder: 4096
            }
        }
    }

    func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64) throws(DiskError) {
        if pieces.isEmpty { return }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pieces.reduce(0) { $0 + $1.count })
        for piece in pieces { bytes.append(contentsOf: piece) }
        try perform("pwritev", (offset, bytes.count)) { machine throws(DiskError) in
            guard isWritable, case .file(let file) = node else { throw DiskError("pwritev", path, number: EBADF) }
            try machine.write(bytes, at: offset, to: file, path)
        }
    }

    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(DiskError) -> Int {
        if bytes.isEmpty { return 0 }
        return try perform("pread", (offset, bytes.count)) { machine throws(DiskError) in
            guard case .file(let file) = node else { throw DiskError("pread", path, number: EISDIR) }
            try machine.strike(machine.faults.read, &file.dice, "pread", path, EIO)
            let size = file.contents.bytes.count
            guard offset < UInt64(size) else { return 0 }
            let start = Int(offset)
            let count = min(bytes.count, size - start)
            file.contents.bytes.withUnsafeBytes { all in
                bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: all[start..<start + count]))
            }
            return count
        }
    }

    func sync() throws(DiskError) {
        try perform("fdatasync") { machine throws(DiskError) in
            switch node {
            case .file(let file):
                defer { _ = file.tell(&toldFailures) }
                try machine.sync(file, path)
                if file.tell(&toldFailures) { throw DiskError("fdatasync", path, number: EIO) }
            case .folder(let folder): try machine.sync(folder, "fdatasync", path)
            }
        }
    }

    func syncAll() throws(DiskError) {
        try perform("syncfs") { machine throws(DiskError) in try machine.syncAll() }
    }

    func writeOut(waits: Bool) throws(DiskError) {
        try perform("sync_file_range") { machine throws(DiskError) in
            guard waits, case .file(let file) = node else { return }
            defer { _ = file.tell(&toldFailures) }
            try machine.writeOut(file, path)
            if file.tell(&toldFailures) { throw DiskError("sync_file_range", path, number: EIO) }
        }
    }

    func truncate(to size: UInt64) throws(DiskError) {
        try perform("ftruncate", (size, 0)) { machine throws(DiskError) in
            guard isWritable, case .file(let file) = node else { throw DiskError("ftruncate", path, number: EINVAL) }
            try machine.truncate(file, to: size, path)
        }
    }

    func lock() throws(DiskError) -> Bool {
        try perform("flock") { _ in
            switch node {
            case .file(let file): file.lock.take(number)
            case .folder(let folder): folder.lock.take(number)
            }
        }
    }

    private func perform<Answer: Sendable>(
        _ operation: String,
        _ extent: (offset: UInt64, count: Int)? = nil,
        _ body: (inout SimulatedMachine) throws(DiskError) -> Answer
    ) throws(DiskError) -> Answer {
        try disk.machine.withLock { machine throws(DiskError) in
            try machine.perform(operation, path, extent, by: process, body)
        }
    }
}

// Bytes.
extension SimulatedMachine {
    mutating func write(
        _ bytes: [UInt8],
        at offset: UInt64,
        to file: SimulatedInode,
        _ path: String
    ) throws(DiskError) {
        counters.writes += 1
        guard offset <= UInt64(SimulatedDisk.longestFile - bytes.count) else {
            throw DiskError("pwritev", path, number: EFBIG)
        }
        var (count, failure) = (bytes.count, Int32(0))
        if file.dice.happens(faults.write) {
            (count, failure) = (file.dice.below(count + 1), EIO)
        } else if file.dice.happens(faults.outOfSpace) {
            (count, failure) = (file.dice.below(count + 1), ENOSPC)
        }
        if let capacity = faults.capacity {
            let room = capacity > used ? Int(min(capacity - used, UInt64(SimulatedDisk.longestFile))) : 0
            // Bytes that are overwritten need no room; a hole does.
            let fitting = max(0, file.contents.bytes.count + room - Int(offset))
            if fitting < count { (count, failure) = (fitting, ENOSPC) }
        }
        let size = file.contents.bytes.count
        file.contents.write(count == bytes.count ? bytes : Array(bytes[..<count]), at: Int(offset))
        used += UInt64(file.contents.bytes.count - size)
        counters.bytesWritten += UInt64(count)
        if failure != 0 {
            counters.faults += 1
            throw DiskError("pwritev", path, number: failure)
        }
    }

    mutating func sync(_ file: SimulatedInode, _ path: String) throws(DiskError) {
        counters.syncs += 1
        do throws(DiskError) {
            try strike(faults.sync, &file.dice, "fdatasync", path, EIO)
        } catch {
            file.failSync()
            throw error
        }
        file.contents.sync()
    }

    /// Makes nothing durable before its time. When it fails, a sync has failed, and no later one tells of it.
    mutating func writeOut(_ file: SimulatedInode, _ path: String) throws(DiskError) {
        do throws(DiskError) {
            try strike(faults.sync, &file.dice, "sync_file_range", path, EIO)
        } catch {
            file.failSync()
            throw error
        }
    }

    mutating func truncate(_ file: SimulatedInode, to size: UInt64, _ path: String) throws(DiskError) {
        guard size <= UInt64(SimulatedDisk.longestFile) else { throw DiskError("ftruncate", path, number: EFBIG) }
        try strike(faults.truncate, &file.dice, "ftruncate", path, EIO)
        let old = file.contents.bytes.count
        if let capacity = faults.capacity, Int(size) > old, used + size - UInt64(old) > capacity {
            counters.faults += 1
            throw DiskError("ftruncate", path, number: ENOSPC)
        }
        resize(file, to: Int(size))
    }
}
