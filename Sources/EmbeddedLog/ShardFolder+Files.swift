import DiskIO
import Glibc
import Logging
import RecordBatch
import ShardLog

/// Writing to a shard's segments. Whoever calls holds `files`.
extension ShardFolder {
    /// Frames that were written into their segments, and stay in memory until others need the room.
    struct Applied: Sendable {
        var through: UInt64
        var bytes: Int
    }

    /// Who is told of them, whatever fails behind.
    typealias Report = (Applied) -> Void

    /// Writes the frames that stand in the journal alone into their segments. They are durable there after `settle`.
    func apply(_ files: inout Files, _ report: Report) throws(DiskError) {
        let taken = ifLoaded { state in
            defer { state.isRead = false }
            return (state.recent.unapplied, state.recent.unappliedBytes, state.segments, state.isRead)
        }
        guard let (frames, bytes, segments, isRead) = taken, let last = frames.last else { return }
        // Consumed: whoever still has the frames when some of them go makes a copy of all.
        try write(consume frames, into: segments, isRead: isRead, synced: nil, &files)
        _ = ifLoaded { state in
            state.recent.markApplied(through: last.position)
            state.applied = state.mark(through: last)
        }
        report(Applied(through: last.position, bytes: bytes))
    }

    /// Makes durable in the segments what the journal has of the shard. Returns what is synced then; nil when the shard is
    /// gone, or has nothing.
    func settle(_ files: inout Files, _ report: Report) throws(DiskError) -> TailMark? {
        try apply(&files, report)
        guard let mark = ifLoaded({ $0.applied }) ?? nil else { return nil }
        if files.isDirty { try sync(&files) }
        try syncName(&files)
        return mark
    }

    /// What `settle` does, but for the sync: that of the whole file system follows, and `settled`.
    func beginSettling(_ files: inout Files, _ report: Report) throws(DiskError) -> (mark: TailMark?, writes: Int) {
        try apply(&files, report)
        return (ifLoaded({ $0.applied }) ?? nil, files.writes)
    }

    /// The file system is synced. Throws when something failed since `beginSettling`.
    func settled(_ files: inout Files, writes: Int) throws(DiskError) {
        if files.isSuspect { throw DiskError("fdatasync", path, number: EIO) }
        guard files.writes == writes else { return }
        (files.isDirty, files.hasNewName) = (false, false)
    }

    /// Writes frames of a commit group, the first of them behind `synced` bytes of its segment that a crash leaves whole.
    /// They are durable after `sync`. What stands in the journal alone is written before them.
    func write(
        _ frames: [RecentFrames.Entry],
        into segments: [Segment],
        synced: UInt64,
        _ files: inout Files,
        _ report: Report
    ) throws(DiskError) {
        let isRead = ifLoaded { $0.isRead } ?? false
        try apply(&files, report)
        try write(frames[...], into: segments, isRead: isRead, synced: synced, &files)
    }

    /// Writes frames, a segment's after the other's; those that were trimmed before they came this far are left out.
    ///
    /// - Parameter synced: see above; nil for frames that the journal has.
    private func write(
        _ frames: consuming ArraySlice<RecentFrames.Entry>,
        into segments: [Segment],
        isRead: Bool,
        synced: UInt64?,
        _ files: inout Files
    ) throws(DiskError) {
        var rest = frames
        while let first = rest.first {
            guard let at = segments.index(of: first.position) else {
                rest = rest.dropFirst()
                continue
            }
            let segment = segments[at]
            let end = rest.firstIndex { $0.position >= segment.end } ?? rest.endIndex
            let unsynced = synced.map { Int(first.position - max($0, segment.first)) }
            try write(rest[..<end], into: segment, isRead: isRead, unsyncedBytes: unsynced, &files)
            rest = rest[end...]
        }
    }

    /// Writes frames that stand one behind the other in a segment: much at once past the page cache, unless somebody reads the
    /// file, who will want them soon.
    ///
    /// - Parameter unsyncedBytes: see `SegmentBlocks.write`.
    private func write(
        _ run: ArraySlice<RecentFrames.Entry>,
        into segment: Segment,
        isRead: Bool,
        unsyncedBytes: Int?,
        _ files: inout Files
    ) throws(DiskError) {
        guard let first = run.first else { return }
        let start = first.position - segment.base
        let tail = files.tail
        let file = try open(segment, &files)
        if unsyncedBytes == nil {
            // Nobody waits for a sync.
            files.isDirty = true
            files.writes += 1
        }
        if !isRead, run.byteCount >= passingBytes {
            files.tail = try SegmentBlocks.write(
                run,
                to: file,
                of: segment,
                at: start,
                behind: tail,
                unsyncedBytes: unsyncedBytes
            )
            return
        }
        file.passCache(false)
        guard let unsyncedBytes else { return try Self.write(run, to: file, at: start) }
        for frame in run {
            try frame.bytes.withUnsafeBytes { bytes throws(DiskError) in
                try Self.write(
                    bytes,
                    to: file,
                    at: frame.position - segment.base,
                    unsyncedBytes: unsyncedBytes + Int(frame.position - first.position)
                )
            }
        }
    }

    /// Makes the file durable that was written last.
    func sync(_ files: inout Files) throws(DiskError) {
        let file: any DiskFile
        if let active = files.active {
            file = active
        } else {
            do throws(DiskError) {
                file = try disk.open(path + "/" + Segment(base: files.base).name, .write)
            } catch {
                // Trimmed, or never written.
                if error.isMissing { return }
                throw error
            }
        }
        do throws(DiskError) {
            try file.sync()
            files.isDirty = false
        } catch {
            // The kernel may have dropped the pages and call the next sync a success.
            if files.isDirty { files.isSuspect = true }
            throw error
        }
    }

    /// Makes a new segment's name durable.
    func syncName(_ files: inout Files) throws(DiskError) {
        guard files.hasNewName else { return }
        try disk.syncFolder(path)
        files.hasNewName = false
    }

    /// Waits for what `writeOut` has begun.
    func waitForWriting(_ files: inout Files) throws(DiskError) {
        do throws(DiskError) {
            try files.active?.writeOut(waits: true)
        } catch {
            files.isSuspect = true
            throw error
        }
    }

    /// Removes what a failed group has written behind the tail, so that neither a restart nor the frames that follow find it.
    func cut(_ files: inout Files) throws(DiskError) {
        let found = ifLoaded { ($0.segments.last, $0.newestFile, $0.recent.unapplied.first?.position) }
        guard let (last, newest, unapplied) = found else { return }
        if files.isDirty { try sync(&files) }
        (files.active, files.tail) = (nil, nil)
        // The newest first: a crash that undoes some of it leaves no gap.
        for name in try disk.list(path).reversed() {
            guard let base = Segment.base(ofName: name), last.map({ base > $0.base }) ?? true else { continue }
            // What is none of ours is left alone, but for a file whose header could not be written, nor the file removed.
            if base > newest ?? 0, try disk.open(path + "/" + name, .read).size() > Segment.header { continue }
            try disk.remove(path + "/" + name)
        }
        try disk.syncFolder(path)
        _ = ifLoaded { state in
            state.newestFile = state.newestFile.flatMap { newest in last.map { min(newest, $0.base) } }
        }
        // Where the tail stands in the journal alone, its file may be shorter, or not be there yet.
        if let last, disk.exists(path + "/" + last.name) {
            let end = min(last.end, max(unapplied ?? last.end, last.base))
            let file = try open(last, &files)
            if try file.size() > end - last.base {
                try file.truncate(to: max(end - last.base, Segment.header))
                try sync(&files)
            }
        }
        mustCut = false
    }

    /// A segment's file, made when there is none. The one before it is synced first: a segment that has a successor is trusted
    /// whole after a crash.
    private func open(_ segment: Segment, _ files: inout Files) throws(DiskError) -> any DiskFile {
        files.tail = nil
        if let file = files.active, files.base == segment.base { return file }
        if files.active != nil || files.isDirty, files.base < segment.base { try sync(&files) }
        let isThere = ifLoaded { $0.newestFile.map { segment.base <= $0 } ?? false } ?? false
        let file: any DiskFile
        if isThere {
            file = try disk.open(path + "/" + segment.name, .write)
        } else {
            file = try Segment.makeFile(path, on: disk, base: segment.base)
            files.hasNewName = true
            _ = ifLoaded { $0.newestFile = segment.base }
        }
        (files.active, files.base) = (file, segment.base)
        return file
    }

    /// Puts right what a failure has left behind: frames of the journal that a failed sync may have dropped from their files
    /// are written again, and bytes behind the tail are removed.
    func repairIfNeeded(_ files: inout Files, from journal: Journal) throws(DiskError) {
        if files.isSuspect { try restore(&files, from: journal) }
        if mustCut { try cut(&files) }
    }

    private func restore(_ files: inout Files, from journal: Journal) throws(DiskError) {
        (files.active, files.tail) = (nil, nil)
        // Those in memory alone are no loss.
        guard let (segments, first) = ifLoaded({ ($0.segments, $0.first) }) else { return }
        var touched: [UInt64: any DiskFile] = [:]
        try journal.forEachEntry { entry, bytes throws(DiskError) in
            guard entry.shard == ref, let base = entry.base, entry.position >= first,
                segments.contains(where: { $0.base == base })
            else { return }
            let file: any DiskFile
            if let open = touched[base] {
                file = open
            } else {
                guard disk.exists(path + "/" + Segment(base: base).name) else { return }
                file = try disk.open(path + "/" + Segment(base: base).name, .write)
                // The file may have been made for these frames.
                try file.write(Segment.headerBytes(base: base), at: 0)
                touched[base] = file
            }
            try bytes.withUnsafeBufferPointer { bytes throws(DiskError) in
                try file.write(
                    UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[entry.frames])),
                    at: entry.position - base
                )
            }
        }
        for file in touched.values { try file.sync() }
        (files.isSuspect, files.isDirty) = (false, false)
    }

    // MARK: - Pieces

    /// Frames that one call writes.
    private static let pieceLimit = 256

    /// Writes frames that stand one behind the other.
    private static func write(
        _ frames: ArraySlice<RecentFrames.Entry>,
        to file: any DiskFile,
        at start: UInt64
    ) throws(DiskError) {
        var (rest, offset) = (frames, start)
        while !rest.isEmpty {
            let group = rest.prefix(pieceLimit)
            var failure: DiskError?
            withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: group.count) { pieces in
                _ = pieces.initialize(fromContentsOf: group.lazy.map(\.bytes.unsafeBytes))
                do throws(DiskError) {
                    try file.write(UnsafeBufferPointer(pieces), at: offset)
                } catch {
                    failure = error
                }
            }
            extendLifetime(frames)
            if let failure { throw failure }
            offset += UInt64(group.reduce(0) { $0 + $1.bytes.count })
            rest = rest.dropFirst(group.count)
        }
    }

    private static func write(
        _ frame: UnsafeRawBufferPointer,
        to file: any DiskFile,
        at offset: UInt64,
        unsyncedBytes: Int
    ) throws(DiskError) {
        var failure: DiskError?
        withUnsafeTemporaryAllocation(byteCount: FrameHeader.size, alignment: 8) { envelope in
            FrameStamp.fill(envelope, of: frame, unsyncedBytes: unsyncedBytes)
            withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 2) { pieces in
                pieces.initializeElement(at: 0, to: UnsafeRawBufferPointer(envelope))
                pieces.initializeElement(at: 1, to: UnsafeRawBufferPointer(rebasing: frame[FrameHeader.size...]))
                do throws(DiskError) {
                    try file.write(UnsafeBufferPointer(pieces), at: offset)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }
}

extension ArraySlice<RecentFrames.Entry> {
    /// Of frames that stand one behind the other.
    fileprivate var byteCount: Int {
        guard let first, let last else { return 0 }
        return Int(last.position - first.position) + last.bytes.count
    }
}
