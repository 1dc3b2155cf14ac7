import CPOSIX

/// How the C library's heap treats what requests need for a moment: bodies and batches of some hundred KiB.
enum Heap {
    /// Keeps it for the next request. By default blocks of that size go back to the system, and each of their pages faults when
    /// the next one is made: 5 % of what a PutRecords call of 500 KiB costs. The largest that a heap takes, 32 MiB, so that
    /// pages of GetRecords, 10 MiB and 14 as JSON, are kept, too. See: man 3 mallopt.
    static func keepBlocks() {
        // A heap that does not take it works as it does by default.
        _ = millrace_keep_blocks(32 << 20, 64 << 20)
    }
}
