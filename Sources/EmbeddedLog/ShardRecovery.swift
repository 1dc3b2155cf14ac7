import DiskIO
import Glibc
import Logging
import RecordBatch
import ShardLog

/// Loads a shard's state from its folder, and cuts off what a crash left unfinished.
///
/// Only what is not known to be synced is read: the active segment from the mark on, or all of it without a mark. All that is
/// left is made durable before anybody sees it: a process that was killed may have written it and not synced it.
struct ShardRecovery {
    let ref: ShardRef
    let path: String
    let mark: TailMark?
    /// Whether the process before has ended with everything synced.
    let isClean: Bool
    let disk: any Disk
    let logger: Logger

    /// Throws `DiskError`, and `ShardLogError.corrupt` for what another version wrote.
    func load(_ state: inout ShardFolder.State) throws {
        let names = try disk.list(path)
        state.isClosed = names.contains(ShardFolder.closedName)
        state.segments = try names.compactMap(Segment.base(ofName:)).sorted().map { base throws(DiskError) in
            var segment = Segment(base: base)
            segment.size = try disk.open(path + "/" + segment.name, .read).size()
            return segment
        }
        // A crash between making a file and syncing its header leaves a last one without a header, and without anything
        // that was acknowledged.
        while let last = state.segments.last, try !hasHeader(last) {
            try disk.remove(path + "/" + last.name)
            state.segments.removeLast()
        }
        for segment in state.segments.dropLast() where segment.isEmpty {
            if try hasHeader(segment) { continue }
            try disk.remove(path + "/" + segment.name)
            state.segments.removeAll { $0.base == segment.base }
        }
        // The zeros of a last block are nothing that the next segment begins behind.
        for (index, next) in state.segments.dropFirst().enumerated() {
            state.segments[index].size = min(state.segments[index].size, next.base - state.segments[index].base)
        }
        // Also when nothing was removed: the process before may not have lived to make its removals durable.
        if !isClean { try disk.syncFolder(path) }
        state.first = max(mark?.first ?? 0, state.segments.first?.first ?? 0)
        state.leftovers = state.segments.removeSegments(before: state.first)
        if !state.segments.isEmpty { try recoverActive(&state) }
        if let mark, mark.base + mark.size > state.tail { try skip(to: mark.base + mark.size, &state) }
        if state.last == nil { state.last = try lastFrame(state.segments.dropLast()) }
        state.applied = state.markAtTail
        state.newestFile = state.segments.last?.base
        state.isLoaded = true
    }

    /// False when the header was never written. Throws `corrupt` when it is another version's.
    private func hasHeader(_ segment: Segment) throws -> Bool {
        let file = try disk.open(path + "/" + segment.name, .read)
        let bytes = try file.read(Int(Segment.header), at: 0)
        if Segment.isHeader(bytes, base: segment.base) { return true }
        if bytes.allSatisfy({ $0 == 0 }) || bytes.count < Int(Segment.header) { return false }
        throw ShardLogError.corrupt(
            "\(path)/\(segment.name) has no header of this version: start the program that wrote it"
        )
    }

    private func recoverActive(_ state: inout ShardFolder.State) throws {
        let segment = state.segments[state.segments.count - 1]
        let file = try disk.open(path + "/" + segment.name, .write)
        let start = known(of: segment)
        var (index, last) = (SegmentIndex(), start == nil ? nil : mark?.last)
        var (from, size) = (start ?? Segment.header, segment.size)
        var isCut = false
        while from < size {
            let end = try SegmentWalk(file: file, limit: size, verifies: true).run(from: from) { offset, header in
                index.note(arrival: header.arrivalMilliseconds, offset: offset)
                last = ShardFolder.LastFrame(position: segment.base + offset, arrival: header.arrivalMilliseconds)
                return true
            }
            guard case .broken(let offset, let error) = end else { break }
            if try Segment.isPadding(file, from: offset, to: size) {
                size = offset
            } else if let next = try settle(file, segment, at: offset, error) {
                from = next
            } else {
                (size, isCut) = (offset, true)
            }
        }
        if size > start ?? 0 { try rewrite(file, from: start ?? 0, to: size) }
        // Also when nothing was written: what a process cut off may be there again after a power cut.
        if !isClean || size != start {
            try file.sync()
            try disk.syncFolder(path)
        }
        state.segments[state.segments.count - 1].size = size
        state.indexes[segment.base] = index
        state.indexedFrom = start ?? 0
        state.last = last
        if isCut, !state.isClosed { try skip(to: segment.end, &state) }
    }

    /// Writes what was read once more. A sync that failed before the process was killed may have left bytes that can be read
    /// and that no later sync writes: the kernel takes them for written.
    private func rewrite(_ file: any DiskFile, from start: UInt64, to end: UInt64) throws(DiskError) {
        var at = start
        while at < end {
            let bytes = try file.read(Int(min(1 << 20, end - at)), at: at)
            if bytes.isEmpty { return }
            try file.write(bytes, at: at)
            at += UInt64(bytes.count)
        }
    }

    /// How far the mark says that the segment is synced; nil when it says nothing that can be so.
    private func known(of segment: Segment) -> UInt64? {
        // The journal may have known nothing but a trim.
        guard let mark, mark.size >= Segment.header else { return nil }
        if mark.base == segment.base, mark.size <= segment.size { return mark.size }
        // The mark is older than the segment: all of that is looked at.
        if mark.base < segment.base { return nil }
        logger.error(
            "a segment is shorter than it was when it was last synced: something else cut it, or the disk lost it",
            metadata: [
                "file": "\(path)/\(segment.name)", "bytes": "\(segment.size)",
                "synced": "\(mark.size) of \(Segment.hexadecimal(mark.base))",
            ]
        )
        return nil
    }

    /// Decides on bytes that are no frame; returns where the next frame stands, or nil when the segment ends with them now.
    private func settle(
        _ file: any DiskFile,
        _ segment: Segment,
        at offset: UInt64,
        _ error: FrameError
    ) throws -> UInt64? {
        if case .version(let version) = error {
            throw ShardLogError.corrupt(
                "\(path)/\(segment.name) holds a frame of version \(version) at \(offset): start the program that wrote it"
            )
        }
        if try DamagedFrames.wasSynced(file, at: offset, limit: segment.size) {
            // Everything stays; the broken frame is never served.
            logger.error(
                "a frame is damaged, and whole ones stand behind it",
                metadata: ["file": "\(path)/\(segment.name)", "offset": "\(offset)", "error": "\(error)"]
            )
            let bytes = try file.read(Int(segment.size - offset), at: offset)
            return DamagedFrames.next(bytes, after: 0).map { offset + UInt64($0.offset) }
        }
        try cutTail(file, segment, at: offset)
        return nil
    }

    /// Cuts off what is no whole frame, and keeps it beside: usually an append that a crash interrupted, but nobody can tell
    /// that from a last frame that was damaged.
    private func cutTail(_ file: any DiskFile, _ segment: Segment, at offset: UInt64) throws(DiskError) {
        let kept = "\(path)/\(segment.name).torn-\(offset)"
        do throws(DiskError) {
            try disk.replace(kept, with: try file.read(Int(segment.size - offset), at: offset))
        } catch {
            // A full disk is where appends are torn, and what is stored must stay readable there: no copy is made then.
            guard error.isOutOfSpace else { throw error }
            try disk.remove(kept + ".new")
        }
        try file.truncate(to: offset)
        logger.warning(
            "bytes that are no whole frame were cut off behind the last one",
            metadata: [
                "file": "\(path)/\(segment.name)", "offset": "\(offset)", "bytes": "\(segment.size - offset)",
                "kept": "\(kept)",
            ]
        )
    }

    /// Positions that were cut off are not given out again: if they were damage and not a torn tail, somebody may know them.
    private func skip(to base: UInt64, _ state: inout ShardFolder.State) throws(DiskError) {
        let next = Segment(base: base)
        do throws(DiskError) {
            try Segment.makeFile(path, on: disk, base: base).sync()
            try disk.syncFolder(path)
            state.segments.append(next)
            state.indexes[base] = SegmentIndex()
            state.indexedFrom = 0
        } catch {
            // What is stored must stay readable on a full disk.
            guard error.isOutOfSpace else { throw error }
            try disk.remove(path + "/" + next.name)
        }
    }

    /// The last frame of the newest segment that has one.
    private func lastFrame(_ segments: ArraySlice<Segment>) throws(DiskError) -> ShardFolder.LastFrame? {
        for segment in segments.reversed() where !segment.isEmpty {
            let index = try SegmentIndex.load(path, segment, on: disk)
            guard let mark = index.marks.last else { continue }
            var last: ShardFolder.LastFrame?
            let file = try disk.open(path + "/" + segment.name, .read)
            _ = try SegmentWalk(file: file, limit: segment.size, verifies: false).run(from: mark.offset) {
                offset,
                header in
                last = ShardFolder.LastFrame(position: segment.base + offset, arrival: header.arrivalMilliseconds)
                return true
            }
            if last != nil { return last }
        }
        return nil
    }
}

/// Finding one's way around bytes that are no frame.
enum DamagedFrames {
    /// Whether what is no whole frame at `offset` was whole once: a frame behind it was written after a sync of it. Frames of
    /// its own commit group say nothing: a power cut may keep a later one and lose an earlier one, and none of them was
    /// acknowledged.
    static func wasSynced(_ file: any DiskFile, at offset: UInt64, limit: UInt64) throws(DiskError) -> Bool {
        let bytes = try file.read(Int(limit - offset), at: offset)
        var at = 0
        while let next = next(bytes, after: at) {
            if next.offset > next.header.unsyncedBytes { return true }
            // A whole frame of the same group: on from its end.
            at = next.offset + next.header.frameLength - 1
        }
        return false
    }

    /// The first whole frame that starts behind an offset, where no whole one stands at the offset itself. Its own records may
    /// hold bytes that look like frames: they are passed over where its length can be trusted.
    static func next(_ bytes: [UInt8], after offset: Int) -> (offset: Int, header: FrameHeader)? {
        bytes.withUnsafeBytes { bytes in
            guard offset < bytes.count else { return nil }
            let own = FrameView.length(ofDamaged: UnsafeRawBufferPointer(rebasing: bytes[offset...])) ?? 1
            var at = offset + own
            while at + FrameHeader.size <= bytes.count {
                guard let found = memchr(bytes.baseAddress! + at, Int32(UInt8(ascii: "K")), bytes.count - at) else {
                    return nil
                }
                at = UnsafeRawPointer(found) - bytes.baseAddress!
                if let frame = try? FrameView(validating: UnsafeRawBufferPointer(rebasing: bytes[at...])) {
                    return (at, frame.header)
                }
                at += 1
            }
            return nil
        }
    }
}
