import Foundation
import Logging
import Synchronization

@testable import StreamKeys

/// A folder of a test's own, and a clock that stands still unless told.
final class KeyPlace: Sendable {
    let path: String
    let time = Mutex<Int64>(1_000_000)

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-" + UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Puts a key of 32 equal bytes, or any other content.
    func put(_ name: String, _ byte: UInt8 = 1, content: String? = nil, mode: Int = 0o600) throws {
        let file = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try (content.map { Data($0.utf8) } ?? Data(repeating: byte, count: 32)).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path + "/" + name) }

    func ring(_ source: KeySource? = nil) -> KeyRing {
        KeyRing(
            source ?? .kept(path: path),
            account: "123456789012",
            now: { [self] in time.withLock { $0 } },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    func pass(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}
