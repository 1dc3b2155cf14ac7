import Glibc

/// A simulated disk as one process sees it.
struct SimulatedProcess: Disk {
    let disk: SimulatedDisk
    let process: Int

    func open(_ path: String, _ access: DiskAccess) throws(DiskError) -> any DiskFile {
        let (node, number) = try perform("open", path, detail: "to \(access)") { machine throws(DiskError) in
            try machine.open(path, access)
        }
        return SimulatedFile(path, on: disk, node, access, process: process, number: number)
    }

    func makeFolder(_ path: String) throws(DiskError) -> Bool {
        try perform("mkdir", path) { machine throws(DiskError) in try machine.makeFolder(path) }
    }

    func list(_ path: String) throws(DiskError) -> [String] {
        try perform("opendir", path) { machine throws(DiskError) in try machine.list(path) }
    }

    func exists(_ path: String) -> Bool {
        disk.machine.withLock { machine in
            guard machine.process == process else { return false }
            return (try? machine.root.node(path, "access")) != nil
        }
    }

    func syncFolder(_ path: String) throws(DiskError) {
        try perform("fsync", path) { machine throws(DiskError) in try machine.syncFolder(path) }
    }

    func move(_ from: String, to: String) throws(DiskError) {
        try perform("rename", from, detail: "to " + to) { machine throws(DiskError) in
            try machine.move(from, to: to)
        }
    }

    func remove(_ path: String) throws(DiskError) {
        do throws(DiskError) {
            try unlink(path)
        } catch {
            guard error.number == ENOENT else { throw error }
        }
    }

    func removeFolder(_ path: String) throws(DiskError) {
        for name in try list(path) {
            let inner = path + "/" + name
            do throws(DiskError) {
                try unlink(inner)
            } catch {
                guard error.number == EISDIR else { throw error }
                try removeFolder(inner)
            }
        }
        try removeDirectory(path)
    }

    func freeBytes(_ path: String) throws(DiskError) -> UInt64 {
        disk.machine.withLock { machine in
            machine.faults.capacity.map { $0 - min($0, machine.used) } ?? .max
        }
    }

    func removeEmptyFolder(_ path: String) throws(DiskError) -> Bool {
        do throws(DiskError) {
            try removeDirectory(path)
            return true
        } catch {
            guard error.number == ENOTEMPTY || error.number == ENOENT else { throw error }
            return false
        }
    }

    private func unlink(_ path: String) throws(DiskError) {
        try perform("unlink", path) { machine throws(DiskError) in try machine.unlink(path) }
    }

    private func removeDirectory(_ path: String) throws(DiskError) {
        try perform("rmdir", path) { machine throws(DiskError) in try machine.removeFolder(path) }
    }

    private func perform<Answer: Sendable>(
        _ operation: String,
        _ path: String,
        detail: String = "",
        _ body: (inout SimulatedMachine) throws(DiskError) -> Answer
    ) throws(DiskError) -> Answer {
        try disk.machine.withLock { machine throws(DiskError) in
            try machine.perform(operation, path, detail: detail, by: process, body)
        }
    }
}
