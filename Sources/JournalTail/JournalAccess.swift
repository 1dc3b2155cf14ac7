import Glibc

/// Whether the journal's files may be read. libsystemd does not tell: without permission it finds no entries.
enum JournalAccess {
    struct Problem: Equatable {
        var path: String
        var error: Int32
    }

    /// The first folder or journal file that cannot be opened; nil when there is none. `directory` nil: this machine's.
    static func firstProblem(_ directory: String?) -> Problem? {
        let roots = directory.map { [$0] } ?? ["/var/log/journal", "/run/log/journal"]
        for root in roots {
            if let problem = visit(root, depth: directory == nil ? 1 : 2, isOptional: directory == nil) {
                return problem
            }
        }
        return nil
    }

    /// Opening a directory looks at its files and at those of the folders in it.
    private static func visit(_ folder: String, depth: Int, isOptional: Bool) -> Problem? {
        guard let stream = opendir(folder) else {
            let code = errno
            return code == ENOENT && isOptional || code == ENOTDIR ? nil : Problem(path: folder, error: code)
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let type = entry.pointee.d_type
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let path = "\(folder)/\(name)"
            if type == UInt8(DT_DIR) {
                if name.hasPrefix(".") || depth == 0 { continue }
                if let problem = visit(path, depth: depth - 1, isOptional: true) { return problem }
            } else if name.hasSuffix(".journal") || name.hasSuffix(".journal~") {
                let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
                if descriptor < 0 {
                    // A file may go between listing and opening.
                    if errno != ENOENT { return Problem(path: path, error: errno) }
                } else {
                    close(descriptor)
                }
            }
        }
        return nil
    }
}
