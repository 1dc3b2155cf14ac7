/// Reads every file that a pattern matches, across every rotation, losing no byte and repeating none.
///
/// A **generation** is what was written between two truncations or replacements, whatever file holds it and whatever name
/// that has. It is told from others by device, inode, birth time, its first 1 KiB and the 64 bytes before the place read
/// to. Each has a random `SourceID`, and its records are numbered from 0 without gaps; reading again from a checkpoint
/// gives the same records the same numbers.
///
/// ```
///              found by inode or open descriptor
///            ┌──────────────────────────────────┐
///   new ──▶ attached ──truncated, gone──▶ missing ──▶ forgotten
///            ▲                                │
///            └──content found in another file─┘
/// ```
/// - Renamed, replaced and deleted files are read to their end, however long that takes.
/// - A truncated file is a new generation. What was in it is looked for in the files beside it, matching or not.
/// - A file that repeats the content of one that is read is held, and reported, as long as it does: files of any name from
///   1 KiB on, smaller ones only when their name reads like a rotation of the other's (`app.log.1` of `app.log`). Content
///   is compared whole. When it differs the file is read from its first byte.
/// - An unterminated last line waits for its newline. In a rotated file it is a record as soon as nobody has the file open
///   for writing or, where the system does not tell, when it was unchanged for `rotatedQuiet`; if the file grows after
///   that, reading goes on behind the cut.
///
/// Not to be used from two threads at once. It has no timer: the owner calls `refresh`, then `next` until that is nil.
public final class FileTail {
    let configuration: FileTailConfiguration
    let nowMilliseconds: () -> Int64
    let randomNumber: () -> UInt64
    let splitter: RecordSplitter
    var scanner: FolderScanner

    var generations: [SourceID: Generation] = [:]
    /// The attached ones, by the file that they are in.
    var attached: [FileKey: Generation] = [:]
    /// Those with something to read, in the order of their turns.
    var ready: [Generation] = []
    var readyStart = 0
    /// Files that repeat another, as last compared.
    var held: [FileKey: HeldCopy] = [:]
    /// Files and folders that could not be read, by path.
    var unreadable: [String: Unreadable] = [:]
    /// Names that led to no file at the last look, with the system's error number: said once.
    var unresolved: [String: Int32] = [:]
    var failedFolders: [String: Int32] = [:]
    /// Names that a generation once had: what appears there is not a copy of that generation.
    var slots: Set<String> = []
    var notices: [FileTailNotice] = []
    var refreshes: UInt64 = 0
    var uses: UInt64 = 0
    var openCount = 0
    var needsLocating: Bool
    /// Whether files that are found now were there before the very first start.
    var isFirstLook: Bool
    var buffer: UnsafeMutableRawBufferPointer

    /// A file that is not read because its content is read elsewhere.
    struct HeldCopy {
        var original: SourceID
        var size: Int64
        var modified: Int64
    }

    /// A file that could not be opened.
    struct Unreadable {
        var code: Int32
        /// Its size when it was there before the very first start.
        var firstSize: Int64?
    }

    /// Follows the files of a pattern. `restoring` are the checkpoints saved before. `hasRunBefore` tells whether there was
    /// a run before this one, even one that saw no file; default: whether there are checkpoints. `nowMilliseconds` is the
    /// time since 1970, `randomNumber` gives the numbers of new sources.
    /// Throws `FileTailError.badPattern`.
    public init(
        _ configuration: FileTailConfiguration,
        restoring checkpoints: [FileCheckpoint],
        hasRunBefore: Bool? = nil,
        nowMilliseconds: @escaping () -> Int64 = SystemTime.milliseconds,
        randomNumber: @escaping () -> UInt64 = { .random(in: .min ... .max) }
    ) throws(FileTailError) {
        precondition(configuration.maxRecordBytes >= 16, "records of at least 16 bytes")
        precondition(configuration.readChunkBytes > 0 && configuration.maxOpenFiles > 0)
        self.configuration = configuration
        self.nowMilliseconds = nowMilliseconds
        self.randomNumber = randomNumber
        scanner = FolderScanner(try FilePattern(configuration.pattern))
        splitter = RecordSplitter(
            maxRecordBytes: configuration.maxRecordBytes,
            multiLineStart: configuration.multiLineStart
        )
        needsLocating = !checkpoints.isEmpty
        isFirstLook = !(hasRunBefore ?? !checkpoints.isEmpty)
        buffer = .allocate(byteCount: Fingerprint.longestTail + configuration.readChunkBytes, alignment: 64)
        let now = nowMilliseconds()
        for checkpoint in checkpoints {
            let generation = Generation(checkpoint, headerLines: configuration.skipHeaderLines)
            generation.place = .missing(sinceMilliseconds: now, truncated: false)
            generation.lastChangeMilliseconds = now
            generations[checkpoint.source] = generation
            slots.insert(checkpoint.firstPath)
        }
    }

    deinit { buffer.deallocate() }

    /// Rises whenever a source was made, moved or cut without a newline. Records of `next` may be sent only when
    /// `checkpoints()` of this or a higher revision are durable; otherwise a crash could number them anew.
    public internal(set) var revision: UInt64 = 0

    /// Everything before `offset`, which is the end of a record, is durable at the destination; `sequence` is the number
    /// of the record behind it. Going back, and unknown sources, are ignored.
    public func acknowledge(_ source: SourceID, offset: Int64, sequence: Int64) {
        generations[source]?.acknowledge(offset: offset, sequence: sequence)
    }

    /// How far every known generation is acknowledged, to be saved. Those no longer in it can be forgotten.
    public func checkpoints() -> [FileCheckpoint] {
        generations.values.map(\.checkpoint)
    }

    /// Known bytes not yet acknowledged, and the files that have some.
    public var lag: (bytes: Int64, files: Int) {
        var lag: (bytes: Int64, files: Int) = (0, 0)
        for generation in attached.values {
            let bytes = max(generation.size, generation.readOffset) - generation.acknowledgedOffset
            if bytes > 0 {
                lag.bytes += bytes
                lag.files += 1
            }
        }
        return lag
    }

    func note(_ kind: FileTailNotice.Kind, _ generation: Generation) {
        notices.append(FileTailNotice(kind: kind, source: generation.source, path: generation.path))
    }

    func enqueue(_ generation: Generation) {
        guard !generation.isReady, generation.isAttached, !generation.needsOpening,
            generation.size > generation.scannedTo
        else { return }
        generation.isReady = true
        ready.append(generation)
    }
}
