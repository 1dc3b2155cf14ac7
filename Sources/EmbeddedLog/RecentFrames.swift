import ShardLog

/// A shard's newest frames in memory, contiguous up to the tail. Readers at the tail get them without a look at the disk, and
/// those that stand in the journal alone have no other place to be read from.
///
///     [ dropped | in the segment's file, may be dropped | in the journal alone ]
///                                          `unapplied` ─┘                     └─ the tail
struct RecentFrames: Sendable {
    struct Entry: Sendable {
        var position: UInt64
        /// In milliseconds since 1970.
        var arrival: Int64
        var bytes: FrameBytes
    }

    private var entries: [Entry] = []
    /// Entries before it are gone.
    private var head = 0
    /// Entries before it are in their files.
    private var applied = 0
    /// Of the others.
    private(set) var unappliedBytes = 0
    /// Frames below are not wanted any more, once they are in their files.
    private var floor: UInt64 = 0

    /// The position of the first frame; nil without one.
    var first: UInt64? { head < entries.count ? entries[head].position : nil }

    /// Where adding the next one will write, if memory is not taken anew by then: to be asked for, never to be read.
    var hints: (head: UnsafeRawPointer, end: UnsafeRawPointer)? {
        entries.withUnsafeBufferPointer { entries in
            guard let base = entries.baseAddress else { return nil }
            // An array's own fields stand right in front of its elements.
            return (UnsafeRawPointer(base) - 1, UnsafeRawPointer(base + entries.count))
        }
    }

    /// The frames that are not in their files yet.
    var unapplied: ArraySlice<Entry> { entries[applied...] }

    /// Adds frames behind the others.
    ///
    /// - Parameter areApplied: whether they are in their files already; then all before them are, too.
    mutating func append(_ frames: [Entry], areApplied: Bool) {
        for frame in frames {
            entries.append(frame)
            unappliedBytes += frame.bytes.count
        }
        if areApplied { (applied, unappliedBytes) = (entries.count, 0) }
    }

    /// Frames up to a position are in their files now.
    mutating func markApplied(through position: UInt64) {
        while applied < entries.count, entries[applied].position <= position {
            unappliedBytes -= entries[applied].bytes.count
            applied += 1
        }
        drop()
    }

    /// Lets go of frames up to a position, as soon as they are in their files. Returns the bytes set free now.
    mutating func drop(through position: UInt64) {
        floor = max(floor, position + 1)
        drop()
    }

    /// Lets go of the oldest frames that are in their files, until the others of those are no more than so many bytes. Returns
    /// how many they are.
    mutating func drop(keeping limit: Int) -> Int {
        var (kept, first) = (0, applied)
        while first > head, kept + entries[first - 1].bytes.count <= limit {
            kept += entries[first - 1].bytes.count
            first -= 1
        }
        if first > head { drop(through: entries[first - 1].position) }
        return kept
    }

    private mutating func drop() {
        while head < applied, entries[head].position < floor {
            entries[head].bytes = .none
            head += 1
        }
        if head == entries.count {
            (entries, head, applied) = ([], 0, 0)
        } else if head > 64, head > entries.count / 2 {
            entries.removeFirst(head)
            (applied, head) = (applied - head, 0)
        }
    }

    /// Frees all.
    mutating func removeAll() { (entries, head, applied, unappliedBytes) = ([], 0, 0, 0) }

    /// Whole frames from the first one at or behind a position, the first one whatever its size; nil when that is not in
    /// memory.
    func slab(from position: UInt64, maxBytes: Int) -> [Entry]? {
        guard let first, position >= first else { return nil }
        var (low, high) = (head, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].position < position { low = middle + 1 } else { high = middle }
        }
        var (end, bytes) = (low, 0)
        while end < entries.count, end == low || bytes + entries[end].bytes.count <= maxBytes {
            bytes += entries[end].bytes.count
            end += 1
        }
        return Array(entries[low..<end])
    }
}
