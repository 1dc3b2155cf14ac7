import DiskIO
import RecordBatch
import ShardLog

/// Reads a whole log that no process uses, changes nothing, and says what it finds.
///
/// Every frame's checksums are verified, and that offsets and arrivals rise; segments must follow on each other, and what the
/// journal holds must be whole. A tail that a crash tore is no damage: the next start cuts it off.
public struct StoreCheck {
    /// Something that is not as it should be.
    public struct Finding: Sendable, Equatable {
        /// How bad it is.
        public enum Kind: String, Sendable {
            /// Nothing is lost: a crash leaves such things, and the next start puts them right.
            case note
            /// Records are lost, or can't be reached.
            case damage
        }

        /// How bad it is.
        public var kind: Kind
        /// Which file or folder.
        public var path: String
        /// Where in the file, in bytes; nil where that says nothing.
        public var offset: UInt64?
        /// What it is.
        public var what: String
    }

    /// What there is.
    public struct Summary: Sendable, Equatable {
        /// Logs of shards.
        public var shards = 0
        /// Files of frames.
        public var segments = 0
        /// Whole frames.
        public var frames = 0
        /// Records in them.
        public var records = 0
        /// Bytes of the segments.
        public var bytes: UInt64 = 0
        /// Groups in the journal that are not in their segments yet.
        public var journalGroups = 0
        /// Findings that are damage.
        public var damage = 0
        /// The others.
        public var notes = 0
    }

    private let directory: String
    private let disk: any Disk
    private let report: (Finding) -> Void
    private var summary = Summary()

    /// Checks the log in a folder.
    ///
    /// - Parameter report: called with each finding as it is made.
    ///
    /// Throws `DiskError`, and `EmbeddedLog.InUse` while a process has it.
    public static func run(
        directory: String,
        disk: any Disk = POSIXDisk(),
        report: @escaping (Finding) -> Void
    ) throws -> Summary {
        var check = StoreCheck(directory: directory, disk: disk, report: report)
        let lock = try disk.open(directory + "/lock", .write)
        guard try lock.lock() else {
            throw EmbeddedLog.InUse(description: "\(directory) is in use by a process: stop it, then check")
        }
        return try withExtendedLifetime(lock) { try check.run() }
    }

    private init(directory: String, disk: any Disk, report: @escaping (Finding) -> Void) {
        self.directory = directory
        self.disk = disk
        self.report = report
    }

    private mutating func found(_ kind: Finding.Kind, _ path: String, _ offset: UInt64? = nil, _ what: String) {
        if kind == .damage { summary.damage += 1 } else { summary.notes += 1 }
        report(Finding(kind: kind, path: path, offset: offset, what: what))
    }

    private mutating func run() throws(DiskError) -> Summary {
        let marks = try checkMarks()
        let journaled = try checkJournal()
        for stream in try disk.list(directory) where !EmbeddedLog.isOwn(stream) {
            let path = directory + "/" + stream
            if stream.hasPrefix(".deleted-") {
                found(.note, path, nil, "a shard that was being deleted; the next start removes the rest")
                continue
            }
            for name in try disk.list(path) {
                guard let index = UInt32(name) else {
                    found(.note, path + "/" + name, nil, "is no shard's folder and none of the log's")
                    continue
                }
                let ref = ShardRef(stream: stream, index: index)
                try check(ref, path + "/" + name, marks[ref], isJournaled: journaled.contains(ref))
            }
        }
        return summary
    }

    // MARK: - What belongs to no shard

    private mutating func checkMarks() throws(DiskError) -> [ShardRef: TailMark] {
        let path = directory + "/" + TailMarks.name
        guard disk.exists(path) else { return [:] }
        let file = try disk.open(path, .read)
        if let marks = TailMarks.decode(try file.read(Int(try file.size()), at: 0)) { return marks.marks }
        found(
            .damage,
            path,
            nil,
            "is damaged: the next start reads active segments whole, and what was trimmed may show again"
        )
        return [:]
    }

    /// Returns the shards that it has something of.
    private mutating func checkJournal() throws(DiskError) -> Set<ShardRef> {
        guard disk.exists(directory + "/" + Journal.folder) else { return [] }
        var shards: Set<ShardRef> = []
        for generation in try Journal.generations(directory, on: disk) {
            if let version = try Journal.foreignVersion(directory, generation, on: disk) {
                found(.damage, Journal.path(directory, generation), 4, "journal version \(version) is not known")
            }
            guard let content = try Journal.read(directory, generation, on: disk) else { continue }
            summary.journalGroups += content.groups.count
            for group in content.groups { for entry in group.entries { shards.insert(entry.shard) } }
        }
        return shards
    }

    // MARK: - A shard

    private mutating func check(
        _ ref: ShardRef,
        _ path: String,
        _ mark: TailMark?,
        isJournaled: Bool
    ) throws(DiskError) {
        summary.shards += 1
        let names = try disk.list(path)
        var segments = names.compactMap(Segment.base(ofName:)).sorted().map { Segment(base: $0) }
        for index in segments.indices {
            segments[index].size = try disk.open(path + "/" + segments[index].name, .read).size()
        }
        var chain = Chain()
        for (index, var segment) in segments.enumerated() {
            let isLast = index + 1 == segments.count
            if !isLast, segment.end > segments[index + 1].base {
                let size = segments[index + 1].base - segment.base
                let file = try disk.open(path + "/" + segment.name, .read)
                if try Segment.isPadding(file, from: size, to: segment.size) {
                    segment.size = size
                } else {
                    found(.damage, path + "/" + segment.name, nil, "reaches into the next segment")
                }
            }
            let synced = mark.map { $0.base == segment.base ? $0.size : $0.base > segment.base ? .max : 0 } ?? 0
            try check(
                segment,
                path,
                &chain,
                // Behind what is known to be synced a crash may have torn the last segment.
                tearFrom: isLast ? (synced == .max ? segment.size : synced) : .max
            )
        }
        for name in names where name.contains(".torn-") {
            found(
                .note,
                path + "/" + name,
                nil,
                "what a start cut off behind the last whole frame; goes with its segment"
            )
        }
        // What the journal has is put into the segments before anybody looks.
        if let mark, !isJournaled, mark.size >= Segment.header,
            segments.last.map({ $0.end < mark.base + mark.size }) ?? true
        {
            found(
                .damage,
                path,
                nil,
                "ends at \(segments.last?.end ?? 0), and was synced up to \(mark.base + mark.size)"
            )
        }
    }

    /// What the frames before say of those behind.
    private struct Chain {
        var nextOffset: Int64 = 0
        var arrival: Int64 = 0
    }

    private mutating func check(
        _ segment: Segment,
        _ path: String,
        _ chain: inout Chain,
        tearFrom: UInt64
    ) throws(DiskError) {
        summary.segments += 1
        summary.bytes += segment.size
        let name = path + "/" + segment.name
        let file = try disk.open(name, .read)
        guard Segment.isHeader(try file.read(Int(Segment.header), at: 0), base: segment.base) else {
            // Nothing was ever in an empty one.
            let isHarmless = segment.isEmpty || tearFrom <= Segment.header
            found(isHarmless ? .note : .damage, name, 0, "has no segment's header")
            return
        }
        var (at, index) = (Segment.header, SegmentIndex())
        while at < segment.size {
            let end = try SegmentWalk(file: file, limit: segment.size, verifies: true).run(from: at) { offset, header in
                index.note(arrival: header.arrivalMilliseconds, offset: offset)
                summary.frames += 1
                summary.records += header.recordCount
                if header.baseOffset < chain.nextOffset {
                    found(.damage, name, offset, "offset \(header.baseOffset) comes after \(chain.nextOffset - 1)")
                }
                if header.arrivalMilliseconds < chain.arrival {
                    found(.damage, name, offset, "arrived before the frame in front of it")
                }
                chain.nextOffset = header.baseOffset + Int64(header.lastOffsetDelta) + 1
                chain.arrival = header.arrivalMilliseconds
                return true
            }
            guard case .broken(let offset, let error) = end else { break }
            if offset >= tearFrom, try Segment.isPadding(file, from: offset, to: segment.size) { break }
            if case .version(let version) = error {
                found(.damage, name, offset, "a frame of version \(version): check with the program that wrote it")
                return
            }
            let rest = try file.read(Int(segment.size - offset), at: offset)
            if let next = DamagedFrames.next(rest, after: 0) {
                found(
                    .damage,
                    name,
                    offset,
                    "no whole frame (\(error)); the next one stands at \(offset + UInt64(next.offset))"
                )
                at = offset + UInt64(next.offset)
            } else if offset >= tearFrom {
                found(.note, name, offset, "a torn tail of \(segment.size - offset) bytes; the next start cuts it off")
                break
            } else {
                found(.damage, name, offset, "no whole frame (\(error)), up to the segment's end")
                break
            }
        }
        try check(index, of: segment, path)
    }

    private mutating func check(_ index: SegmentIndex, of segment: Segment, _ folder: String) throws(DiskError) {
        let path = SegmentIndex.path(folder, segment)
        guard disk.exists(path) else { return }
        let file = try disk.open(path, .read)
        guard let stored = SegmentIndex(try file.read(Int(try file.size()), at: 0), of: segment), stored == index else {
            found(.note, path, nil, "is not the index of its segment; it is made anew when it is needed")
            return
        }
    }
}
