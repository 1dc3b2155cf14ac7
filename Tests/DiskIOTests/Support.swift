import DiskIO
import Foundation
import Testing

/// Numbers from a seed (SplitMix64), which a failure prints.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

/// A folder on the machine's disk, gone with its last reference.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/millrace-" + UUID().uuidString
        _ = try POSIXDisk().makeFolder(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A disk, and a folder on it for the test.
struct Place {
    let disk: any Disk
    let root: String
    private let folder: TemporaryFolder?

    /// The machine's.
    static func machine() throws -> Place {
        let folder = try TemporaryFolder()
        return Place(disk: POSIXDisk(), root: folder.path, folder: folder)
    }

    /// A simulated one, without faults.
    static func simulated(root: String = "/somewhere") throws -> Place {
        let disk = SimulatedDisk(seed: 1)
        try disk.makeFolders(root)
        return Place(disk: disk, root: root, folder: nil)
    }

    func path(_ name: String) -> String { root + "/" + name }
}

/// Which disk a sentence is said of.
enum Kind: String, CaseIterable, Sendable {
    case machine, simulated

    func place() throws -> Place {
        switch self {
        case .machine: try .machine()
        case .simulated: try .simulated()
        }
    }
}

extension DiskFile {
    /// All of it.
    func all() throws(DiskError) -> [UInt8] { try read(Int(try size()), at: 0) }
}

extension Disk {
    /// Writes a file, without a sync.
    @discardableResult
    func write(_ path: String, _ bytes: [UInt8]) throws(DiskError) -> any DiskFile {
        let file = try open(path, .create)
        try file.write(bytes, at: 0)
        return file
    }

    /// The bytes of a file.
    func bytes(_ path: String) throws(DiskError) -> [UInt8] { try open(path, .read).all() }
}

/// The error's number, or 0.
func number(_ body: () throws -> Void) -> Int32 {
    do {
        try body()
        return 0
    } catch {
        return (error as? DiskError)?.number ?? -1
    }
}

/// What has been seen over the seeds: a fate that can happen must happen, or the disk is tamer than it says.
struct Seen {
    var counts: [String: Int] = [:]
    mutating func note(_ fate: String) { counts[fate, default: 0] += 1 }
    func all(_ fates: String...) -> Bool { fates.allSatisfy { counts[$0] != nil } }
}
