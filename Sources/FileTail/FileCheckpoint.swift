/// Names one generation of one file: what was written between two truncations or replacements, whatever name it bears.
public struct SourceID: Hashable, Sendable {
    /// A random number of 63 bits, never 0.
    public let rawValue: UInt64

    /// Names the source with this number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

extension SourceID: CustomStringConvertible {
    /// The number in 16 hexadecimal digits.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// How far one generation is acknowledged, and what it takes to find it again after a restart.
public struct FileCheckpoint: Sendable, Equatable {
    /// The generation.
    public var source: SourceID
    /// Its last known path.
    public var path: String
    /// The first path it was known by: names of copies are judged by it too.
    public var firstPath: String
    /// The path without symbolic links, where it was last opened; empty when that is not known.
    public var realPath: String
    /// The device it was on.
    public var device: UInt64
    /// Its inode there.
    public var inode: UInt64
    /// When the inode was made, nanoseconds since 1970; 0 when the file system does not tell.
    public var birthNanoseconds: Int64
    /// What its content looked like.
    public var fingerprint: Fingerprint
    /// The file offset behind the last acknowledged record.
    public var offset: Int64
    /// Records before `offset`, which is the number of the next record.
    public var sequence: Int64
    /// Offsets behind `offset` where a record ended without a newline, because the file seemed complete there. Reading
    /// again must cut at the same places.
    public var cuts: [Int64]
    /// Whether it was renamed, replaced, copied away or deleted.
    public var isRotated: Bool
    /// Whether all of it is acknowledged and nobody is expected to add to it.
    public var isFinished: Bool
    /// The file's size when last looked at: what is behind `offset` is lost if the file is never found again.
    public var knownSize: Int64
    /// When its file was last found, milliseconds since 1970.
    public var lastSeenMilliseconds: Int64

    /// A checkpoint, from its parts.
    public init(
        source: SourceID,
        path: String,
        firstPath: String? = nil,
        realPath: String = "",
        device: UInt64,
        inode: UInt64,
        birthNanoseconds: Int64 = 0,
        fingerprint: Fingerprint,
        offset: Int64,
        sequence: Int64,
        cuts: [Int64] = [],
        isRotated: Bool = false,
        isFinished: Bool = false,
        knownSize: Int64 = 0,
        lastSeenMilliseconds: Int64 = 0
    ) {
        self.source = source
        self.path = path
        self.firstPath = firstPath ?? path
        self.realPath = realPath
        self.device = device
        self.inode = inode
        self.birthNanoseconds = birthNanoseconds
        self.fingerprint = fingerprint
        self.offset = offset
        self.sequence = sequence
        self.cuts = cuts
        self.isRotated = isRotated
        self.isFinished = isFinished
        self.knownSize = knownSize
        self.lastSeenMilliseconds = lastSeenMilliseconds
    }
}

extension FileCheckpoint {
    /// Whether a file holds what is behind this checkpoint: made at the same time, with the same first bytes and the same
    /// bytes before the place it is acknowledged to. False when it can't be read.
    public func isContent(ofFile path: String) -> Bool {
        guard let file = OpenFile(path: path), let status = file.status, status.key.inode == inode else { return false }
        if birthNanoseconds != 0, file.birth != birthNanoseconds { return false }
        return Generation(self, headerLines: 0).matches(file, size: status.size) == true
    }
}
