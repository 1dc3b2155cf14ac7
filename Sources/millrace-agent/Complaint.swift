import Glibc

/// Standard error, for people.
enum Complaint {
    /// Writes a line, straight to the descriptor: there is nothing to do for one that can't be written.
    static func say(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
