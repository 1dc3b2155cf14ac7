import Glibc

/// The system's words and clocks.
enum SystemText {
    /// An error number in words.
    static func describe(_ code: Int32) -> String {
        guard let text = strerror(abs(code)) else { return "error \(code)" }
        return String(cString: text)
    }
}

/// A clock that only moves forward.
enum MonotonicTime {
    /// Nanoseconds since some moment.
    static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Duration {
    /// In nanoseconds, for comparing with `MonotonicTime`.
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
