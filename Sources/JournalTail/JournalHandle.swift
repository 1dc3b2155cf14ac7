import CSystemd
import Glibc

/// An open journal. Errors are libsystemd's negative numbers.
final class JournalHandle {
    let pointer: OpaquePointer
    /// Signals that files came, went or grew.
    let descriptor: Int32

    /// nil with `error` set when it cannot be opened.
    init?(_ configuration: JournalTailConfiguration, error: inout Int32) {
        var opened: OpaquePointer?
        error =
            if let directory = configuration.directory {
                sd_journal_open_directory(&opened, directory, 0)
            } else {
                sd_journal_open(&opened, Int32(SD_JOURNAL_LOCAL_ONLY))
            }
        guard error >= 0, let opened else { return nil }
        for match in configuration.matches where error >= 0 {
            error = match.withCString { sd_journal_add_match(opened, $0, strlen($0)) }
        }
        descriptor = error < 0 ? error : sd_journal_get_fd(opened)
        pointer = opened
        if descriptor < 0 {
            error = descriptor
            return nil
        }
    }

    deinit { sd_journal_close(pointer) }

    /// The cursor of the entry that it stands on.
    func cursor() -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard sd_journal_get_cursor(pointer, &text) >= 0, let text else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}

/// The guard against accesses to pages of files that journald has cut short meanwhile.
enum MappingGuard {
    /// Puts the calling thread under it. 0, or an error number.
    static func install() -> Int32 { csystemd_guard_sigbus() }

    /// Accesses that found zeros so far: what was read around one is not to be trusted.
    static var mendedFaults: UInt64 { csystemd_sigbus_count() }
}
