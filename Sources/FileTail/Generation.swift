/// One generation of one file, while it is followed.
final class Generation {
    /// Where its content is.
    enum Place: Equatable {
        /// In the file with its key.
        case attached
        /// Nowhere to be found: deleted unread, truncated, or not looked for yet. Since when.
        case missing(sinceMilliseconds: Int64, truncated: Bool)
    }

    /// The hash of the up to 64 bytes before an offset.
    struct Sample: Equatable {
        var offset: Int64 = 0
        var hash: UInt64 = ContentHash.start
    }

    let source: SourceID
    var path: String
    var firstPath: String
    /// Without symbolic links, where it was last opened: its neighbours there are the rotations of it.
    var realPath = ""
    var key: FileKey
    var birth: Int64
    var place = Place.attached

    /// The first bytes, up to 1 KiB; empty after a restart until the file was found.
    var prefix: [UInt8] = []
    /// Of those bytes, or of those of the run before.
    var prefixLength = 0
    var prefixHash = ContentHash.start

    var acknowledgedOffset: Int64 = 0
    var acknowledgedSequence: Int64 = 0
    /// The newest sample at or before the acknowledged offset.
    var acknowledgedTail = Sample()
    /// Samples behind it, in order.
    var samples: [Sample] = []
    /// Some before it, in order, ever further apart: for telling a copy of an earlier state.
    var olderSamples: [Sample] = []

    var readOffset: Int64 = 0
    var readSequence: Int64 = 0
    /// A sample at or before `readOffset`; at `readOffset` itself once something was read in this run.
    var readTail = Sample()
    /// Header lines still to skip, and header bytes skipped without a record behind them.
    var headerLines = 0
    var headerBytes: Int64 = 0
    var cuts: [Int64] = []

    /// The file as last seen.
    var size: Int64 = 0
    var modified: Int64 = .min
    /// What is before it holds no whole record behind `readOffset`.
    var scannedTo: Int64 = 0
    /// The end of the last whole line behind `readOffset`, when it was scanned.
    var lineEnd: Int64 = 0
    var lastChangeMilliseconds: Int64 = 0
    var lastSeenMilliseconds: Int64 = 0

    var isRotated = false
    var isDeleted = false
    var isFinished = false
    var isReady = false
    var lossReported = false
    /// It went while it was not held open, and not known to be finished.
    var mayHaveGrown = false
    /// The refresh at which its file was found gone.
    var missingSince: UInt64 = 0
    var unreadableCode: Int32 = 0
    /// Its file could not be opened: it takes no turn before a refresh has opened it.
    var needsOpening = false
    var file: OpenFile?
    var lastUse: UInt64 = 0
    /// The revision of the folders at which a copy was looked for in vain.
    var searchedRevision: UInt64 = .max

    init(source: SourceID, path: String, key: FileKey, birth: Int64) {
        self.source = source
        self.path = path
        firstPath = path
        self.key = key
        self.birth = birth
    }

    /// As a former run left it: its file still has to be found.
    convenience init(_ checkpoint: FileCheckpoint, headerLines: Int) {
        self.init(
            source: checkpoint.source,
            path: checkpoint.path,
            key: FileKey(device: checkpoint.device, inode: checkpoint.inode),
            birth: checkpoint.birthNanoseconds
        )
        firstPath = checkpoint.firstPath
        realPath = checkpoint.realPath
        prefixLength = checkpoint.fingerprint.prefixLength
        prefixHash = checkpoint.fingerprint.prefixHash
        acknowledgedOffset = checkpoint.offset
        acknowledgedSequence = checkpoint.sequence
        acknowledgedTail = Sample(offset: checkpoint.fingerprint.tailOffset, hash: checkpoint.fingerprint.tailHash)
        readOffset = checkpoint.offset
        readSequence = checkpoint.sequence
        readTail = acknowledgedTail
        scannedTo = checkpoint.offset
        size = max(checkpoint.knownSize, checkpoint.offset)
        cuts = checkpoint.cuts.filter { $0 > checkpoint.offset }
        isRotated = checkpoint.isRotated
        isFinished = checkpoint.isFinished
        lastSeenMilliseconds = checkpoint.lastSeenMilliseconds
        if checkpoint.offset == 0 { self.headerLines = headerLines }
    }

    var checkpoint: FileCheckpoint {
        FileCheckpoint(
            source: source,
            path: path,
            firstPath: firstPath,
            realPath: realPath,
            device: key.device,
            inode: key.inode,
            birthNanoseconds: birth,
            fingerprint: Fingerprint(
                prefixLength: prefixLength,
                prefixHash: prefixHash,
                tailOffset: acknowledgedTail.offset,
                tailHash: acknowledgedTail.hash
            ),
            offset: acknowledgedOffset,
            sequence: acknowledgedSequence,
            cuts: cuts.filter { $0 > acknowledgedOffset },
            isRotated: isRotated,
            isFinished: isFinished,
            knownSize: size,
            lastSeenMilliseconds: lastSeenMilliseconds
        )
    }

    /// Whether a path reads like a rotation of a name that this generation has or had at first.
    func isRotated(to path: String) -> Bool {
        FileName.isRotation(path, of: self.path) || FileName.isRotation(path, of: firstPath)
    }

    var isAttached: Bool { place == .attached }

    /// Bytes known and not yet read.
    var unread: Int64 { max(0, size - readOffset) }

    /// Moves the acknowledged end, never back and never past what was read.
    func acknowledge(offset: Int64, sequence: Int64) {
        guard offset > acknowledgedOffset, offset <= readOffset else { return }
        acknowledgedOffset = offset
        acknowledgedSequence = sequence
        if let last = samples.lastIndex(where: { $0.offset <= offset }) {
            remember(acknowledgedTail)
            acknowledgedTail = samples[last]
            samples.removeFirst(last + 1)
        }
        cuts.removeAll { $0 <= offset }
    }

    /// Keeps a sample; of the older ones about as many as the offset has binary digits.
    private func remember(_ sample: Sample) {
        guard sample.offset > 0 else { return }
        olderSamples.append(sample)
        guard olderSamples.count > 64 else { return }
        var (kept, gap) = ([Sample](), Int64(0))
        for candidate in olderSamples.reversed() where kept.last.map({ $0.offset - candidate.offset >= gap }) ?? true {
            kept.append(candidate)
            if kept.count > 8 { gap = gap == 0 ? 32_768 : gap * 2 }
        }
        olderSamples = kept.reversed()
    }

    /// The sample nearest to an offset that was read.
    func newestSample(upTo offset: Int64) -> Sample? {
        (olderSamples + [acknowledgedTail] + samples).last { $0.offset > 0 && $0.offset <= offset }
    }

    /// Starts at the file's end: nothing before it is a record of this generation.
    func start(at offset: Int64, tail: Sample) {
        readOffset = offset
        acknowledgedOffset = offset
        scannedTo = offset
        acknowledgedTail = tail
        readTail = tail
    }
}

// MARK: - Recognising content

extension Generation {
    /// Whether an open file of this size begins like this generation and is the same just before what was read of it.
    /// nil when it cannot be read.
    func matches(_ file: OpenFile, size: Int64) -> Bool? {
        guard size >= readOffset, size >= Int64(prefixLength) else { return false }
        guard let first = file.bytes(at: 0, count: Fingerprint.longestPrefix) else { return nil }
        guard hasPrefix(first) else { return false }
        if readTail.offset > 0 {
            guard let hash = Self.tailHash(file, before: readTail.offset) else { return nil }
            guard hash == readTail.hash else { return false }
        }
        if readTail.offset < readOffset {
            // From now on the bytes before the place read to are known.
            guard let hash = Self.tailHash(file, before: readOffset) else { return nil }
            readTail = Sample(offset: readOffset, hash: hash)
        }
        return true
    }

    /// Whether a file's first bytes, 1 KiB or all there are, begin like this generation.
    func hasPrefix(_ first: [UInt8]) -> Bool {
        guard first.count >= prefixLength else { return false }
        if prefix.count == prefixLength { return first.starts(with: prefix) }
        return first.withUnsafeBytes { ContentHash.continuing(ContentHash.start, .init(rebasing: $0[..<prefixLength])) }
            == prefixHash
    }

    /// Takes a file's first bytes as this generation's, which they were found to be.
    func learnPrefix(_ first: [UInt8]) {
        guard first.count > prefixLength || prefix.count != prefixLength else { return }
        prefix = first
        prefixLength = first.count
        prefixHash = first.withUnsafeBytes { ContentHash.continuing(ContentHash.start, $0) }
    }

    static func tailHash(_ file: OpenFile, before offset: Int64) -> UInt64? {
        let length = min(Int64(Fingerprint.longestTail), offset)
        guard let bytes = file.bytes(at: offset - length, count: Int(length)) else { return nil }
        guard bytes.count == Int(length) else { return ContentHash.start }
        return bytes.withUnsafeBytes { ContentHash.continuing(ContentHash.start, $0) }
    }
}
