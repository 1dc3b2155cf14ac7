import DiskIO
import RecordBatch

/// Where the keys of encrypted streams are kept.
public enum KeySource: Sendable, Equatable {
    /// Nowhere: no stream can be encrypted.
    case none
    /// Memory: the service key alone, of random bits that end with the process. For logs that do so too.
    case memory
    /// A folder of the collector's own: the service key, `alias/aws/kinesis`, is made there when it is first asked for. Keys
    /// may be added as in any other folder.
    case own(folder: String)
    /// What an operator keeps: a folder with a file for every version of a key, or a JSON file. Nothing is made there.
    case kept(path: String)

    /// The folder or file; empty where there is none.
    public var path: String {
        switch self {
        case .none, .memory: ""
        case .own(let path), .kept(let path): path
        }
    }
}

/// Reads a source again and again.
struct KeySourceReader {
    private enum Place {
        case fixed(KeySet)
        case own(KeyFolder)
        case folder(KeyFolder)
        case file(KeyFile)
    }

    private let source: KeySource
    private var place: Place

    init(_ source: KeySource) {
        self.source = source
        place =
            switch source {
            case .none: .fixed(KeySet())
            case .memory: .fixed(Self.random())
            case .own(let folder): .own(KeyFolder(folder))
            case .kept(let path): .folder(KeyFolder(path))
            }
    }

    /// The keys there are now.
    mutating func read() -> KeySet {
        followPath()
        switch place {
        case .fixed(let set): return set
        case .own(var folder):
            // Before the first key there is no folder either.
            if case .own(let path) = source, !POSIXDisk().exists(path) { return KeySet() }
            defer { place = .own(folder) }
            return folder.read()
        case .folder(var folder):
            defer { place = .folder(folder) }
            return folder.read()
        case .file(var file):
            defer { place = .file(file) }
            return file.read()
        }
    }

    private static func random() -> KeySet {
        var random = SystemRandomNumberGenerator()
        var set = KeySet()
        if let root = RootKey((0..<RootKey.size).map { _ in random.next() }) {
            set.add(.usable(root), number: 1, to: KeyName.service)
        }
        return set
    }

    /// Makes the service key where that is the collector's business; false where it is not.
    mutating func makeServiceKey() throws(DiskError) -> Bool {
        guard case .own(var folder) = place else { return false }
        try folder.make(String(KeyName.service.dropFirst("alias/".count)))
        return true
    }

    /// A path may name a folder now and a file later.
    private mutating func followPath() {
        guard case .kept(let path) = source, let status = try? KeyFileStatus(path) else { return }
        switch place {
        case .folder where status.isFile: place = .file(KeyFile(path))
        case .file where status.isFolder: place = .folder(KeyFolder(path))
        default: break
        }
    }
}
