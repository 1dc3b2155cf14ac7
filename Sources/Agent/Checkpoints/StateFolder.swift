import Glibc

/// The folder of one agent's state, held by one process at a time.
struct StateFolder: ~Copyable, Sendable {
    let path: String
    private let lock: Int32

    /// Makes the folder where it is missing (mode 0700, with its parents), and locks it.
    init(_ path: String) throws(AgentError) {
        self.path = path
        lock = try Self.takeLock(in: path)
    }

    private static func takeLock(in path: String) throws(AgentError) -> Int32 {
        try make(path)
        let lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw AgentError(
                "can't write into the state folder \(path): \(SystemText.describe(errno)); give it to this user, or name "
                    + "another with --state-dir"
            )
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(lock)
            throw AgentError(
                "the state folder \(path) is in use by another agent; stop that one, or name another folder with --state-dir"
            )
        }
        return lock
    }

    deinit { Glibc.close(lock) }

    private static func make(_ path: String) throws(AgentError) {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try make(String(path[..<slash]))
            guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        }
        throw AgentError(
            "can't make the state folder \(path): \(SystemText.describe(errno)); make it yourself, or name another with "
                + "--state-dir"
        )
    }
}

extension StateFolder {
    /// Whether some process holds this folder now.
    static func isHeld(_ path: String) -> Bool {
        let descriptor = open("\(path)/lock", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }
}
