import Glibc

/// How many files and connections this process may have open at a time.
public enum OpenFiles {
    /// Raises the limit as far as it goes (`ulimit -Hn`, LimitNOFILE=), and returns it; nil where the system does not say.
    public static func raise() -> Int? {
        var limit = rlimit()
        // RLIMIT_NOFILE, whose name Swift's Glibc module gives another type.
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { return nil }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(files, &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
