import DiskIO
import Logging
import RecordBatch
import ShardLog

/// Puts into the segments what a crash left in the journal, and removes the journal. What is there, and not known to be synced
/// there, is written twice: the same bytes in the same place.
struct JournalReplay {
    let directory: String
    let disk: any Disk
    /// From so many shards on they are synced with one sync of the whole file system: one for each took 5 ms.
    let syncAllShards: Int
    /// So much at once goes past the page cache: where the cache has nothing of a segment, it would read what stands around each
    /// entry, a block at a time.
    let passingBytes: Int
    let logger: Logger

    /// One shard that the journal has something of.
    private struct Target {
        var path: String
        /// Of the segments there are.
        var bases: [UInt64]
        var files: [UInt64: any DiskFile] = [:]
        var mark: TailMark
        /// What is to be written, of one file of the journal.
        var run: Run?
    }

    /// Frames that stand one behind the other, in a journal file's bytes and in a segment.
    private struct Run {
        var base: UInt64
        var start: UInt64
        var end: UInt64
        var pieces: [Range<Int>]
    }

    /// A run is written when it is so large.
    private static let runBytes: UInt64 = 1 << 20

    struct Result {
        /// What is synced then.
        var marks: [ShardRef: TailMark]
        /// Whether that is all there is.
        var isClean: Bool
        /// The first generation that no file has had.
        var nextGeneration: UInt64
    }

    /// Throws `DiskError`, and `ShardLogError.corrupt` when another version wrote the journal: nothing is touched then.
    func run() throws -> Result {
        var (marks, isClean) = try readMarks()
        let folder = directory + "/" + Journal.folder
        try disk.makeFolders(folder)
        let generations = try Journal.generations(directory, on: disk)
        guard let newest = generations.last else {
            // From here on it is not.
            if isClean { try writeMarks(marks) }
            return Result(marks: marks, isClean: isClean, nextGeneration: 1)
        }
        for generation in generations {
            guard let version = try Journal.foreignVersion(directory, generation, on: disk) else { continue }
            throw ShardLogError.corrupt(
                "\(Journal.path(directory, generation)): journal version \(version) is not known: start the Millrace that wrote it, and "
                    + "stop it in order"
            )
        }
        isClean = false
        // Opened before anything is written: through it errors of all that follows are told.
        let anyFile = try disk.open(directory + "/lock", .read)
        var targets: [ShardRef: Target] = [:]
        try Journal.forEachFile(directory, generations, on: disk) { content throws(DiskError) in
            for group in content.groups {
                for entry in group.entries { try replay(entry, content.bytes, marks, &targets) }
            }
            for index in targets.values.indices { try write(content.bytes, &targets.values[index]) }
        }
        let isMany = targets.count >= syncAllShards
        if isMany { try anyFile.syncAll() }
        for (ref, target) in targets {
            if !isMany {
                for file in target.files.values { try file.sync() }
                try disk.syncFolder(target.path)
            }
            marks[ref] = target.mark.merged(with: marks[ref])
        }
        try writeMarks(marks)
        for generation in generations { try Journal.remove(directory, generation, on: disk) }
        if !targets.isEmpty {
            logger.info(
                "frames were moved from the journal to their files",
                metadata: ["shards": "\(targets.count)", "files": "\(generations.count)"]
            )
        }
        return Result(marks: marks, isClean: false, nextGeneration: newest + 1)
    }

    private func writeMarks(_ marks: [ShardRef: TailMark]) throws(DiskError) {
        try disk.replace(directory + "/" + TailMarks.name, with: TailMarks.encode(marks))
    }

    private func readMarks() throws(DiskError) -> (marks: [ShardRef: TailMark], isClean: Bool) {
        let path = directory + "/" + TailMarks.name
        guard disk.exists(path) else { return ([:], false) }
        let file = try disk.open(path, .read)
        if let marks = TailMarks.decode(try file.read(Int(try file.size()), at: 0)) { return marks }
        logger.error(
            "the list of synced tails is damaged: active segments are read whole, and what was trimmed may show again",
            metadata: ["file": "\(path)"]
        )
        return ([:], false)
    }

    private func replay(
        _ entry: JournalGroup.Entry,
        _ bytes: [UInt8],
        _ marks: [ShardRef: TailMark],
        _ targets: inout [ShardRef: Target]
    ) throws(DiskError) {
        let end = entry.position + UInt64(entry.frames.count)
        // A file that is let go of, and not used again, has nothing else.
        if let base = entry.base, let synced = marks[entry.shard], synced.covers(end, in: base) { return }
        if targets[entry.shard] == nil {
            let path = "\(directory)/\(entry.shard.stream)/\(entry.shard.index)"
            // Deleted meanwhile.
            guard disk.exists(path) else { return }
            let bases = try disk.list(path).compactMap(Segment.base(ofName:)).sorted()
            targets[entry.shard] = Target(
                path: path,
                bases: bases,
                mark: marks[entry.shard] ?? TailMark(base: 0, size: 0, first: 0, last: nil)
            )
        }
        // Out of the dictionary: a second reference would have its run copied for each entry.
        guard var target = targets.removeValue(forKey: entry.shard) else { return }
        defer { targets[entry.shard] = target }
        guard let base = entry.base else {
            target.mark.first = max(target.mark.first, entry.position)
            return
        }
        // Its segment was trimmed. The last one stays, so that the tail is known.
        if !target.bases.contains(base), end <= target.mark.first, base < target.bases.last ?? 0 { return }
        if let run = target.run,
            run.base != base || run.end != entry.position || run.end - run.start >= Self.runBytes
        {
            try write(bytes, &target)
        }
        if target.run == nil { target.run = Run(base: base, start: entry.position, end: entry.position, pieces: []) }
        target.run?.pieces.append(entry.frames)
        target.run?.end = end
        let mark = TailMark(
            base: base,
            size: end - base,
            first: target.mark.first,
            last: Self.last(bytes, entry) ?? target.mark.last
        )
        target.mark = mark.merged(with: target.mark)
    }

    /// Writes the run that a shard has.
    private func write(_ bytes: [UInt8], _ target: inout Target) throws(DiskError) {
        guard let run = target.run else { return }
        target.run = nil
        let file = try open(run.base, &target)
        try bytes.withUnsafeBufferPointer { bytes throws(DiskError) in
            let pieces = run.pieces.map { UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[$0])) }
            if run.end - run.start >= UInt64(passingBytes) {
                return try SegmentBlocks.replace(pieces, of: file, at: run.start - run.base)
            }
            file.passCache(false)
            var failure: DiskError?
            pieces.withUnsafeBufferPointer { pieces in
                do throws(DiskError) {
                    try file.write(pieces, at: run.start - run.base)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }
    }

    private func open(_ base: UInt64, _ target: inout Target) throws(DiskError) -> any DiskFile {
        if let file = target.files[base] { return file }
        let path = target.path + "/" + Segment(base: base).name
        let file: any DiskFile
        if target.bases.contains(base) {
            file = try disk.open(path, .write)
            // Its header may not have come as far as its name.
            try file.write(Segment.headerBytes(base: base), at: 0)
        } else {
            file = try Segment.makeFile(target.path, on: disk, base: base)
            target.bases.append(base)
        }
        target.files[base] = file
        return file
    }

    /// The last frame of an entry.
    private static func last(_ bytes: [UInt8], _ entry: JournalGroup.Entry) -> ShardFolder.LastFrame? {
        var last: ShardFolder.LastFrame?
        bytes.withUnsafeBytes { bytes in
            var at = entry.frames.lowerBound
            while at < entry.frames.upperBound,
                let header = try? FrameHeader(peeking: UnsafeRawBufferPointer(rebasing: bytes[at...]))
            {
                last = ShardFolder.LastFrame(
                    position: entry.position + UInt64(at - entry.frames.lowerBound),
                    arrival: header.arrivalMilliseconds
                )
                at += header.frameLength
            }
        }
        return last
    }
}
