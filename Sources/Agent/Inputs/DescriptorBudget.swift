import DiskIO

/// How many files the flows may hold open. A file that is not held open is lost when it is moved or deleted unread, so the
/// more the better: as many as the process may have, less what everything else needs.
enum DescriptorBudget {
    /// For sockets, the checkpoint, folders being listed and files being compared.
    private static let reserve = 128

    /// Raises the process's limit as far as it goes (`ulimit -Hn`, LimitNOFILE=), and returns each flow's share.
    static func share(flows: Int) -> Int {
        guard let limit = OpenFiles.raise() else { return 256 }
        // The table of a million descriptors is more than any folder needs.
        let total = min(limit, 1 << 20)
        return max(16, (total - reserve) / max(1, flows))
    }
}
