import EmbeddedState
import Foundation
import StateStore
import Testing

@Suite("The embedded state store")
struct EmbeddedStateTests {
    @Test("finds everything again after a restart, and goes on counting revisions")
    func restart() async throws {
        try await withFolder { folder in
            let path = folder + "/state.db"
            let first = try EmbeddedState(path: path)
            let kept = try await first.put(StateKey("n", "kept"), [1], if: .none)
            let gone = try await first.put(StateKey("n", "gone"), [2], if: .none)
            try await first.delete(StateKey("n", "gone"), if: .revision(gone))
            try first.close()
            let second = try EmbeddedState(path: path)
            #expect(try await second.get(StateKey("n", "kept"))?.revision == kept)
            #expect(try await second.get(StateKey("n", "gone")) == nil)
            #expect(try await second.put(StateKey("n", "gone"), [3], if: .absent) > gone)
            try second.close()
        }
    }

    @Test("has every acknowledged write in the files at any moment")
    func copiedAlive() async throws {
        try await withFolder { folder in
            let store = try EmbeddedState(path: folder + "/state.db")
            for round in 0..<10 {
                for index in 0..<30 {
                    try await store.put(StateKey("n", "\(round)-\(index)"), [UInt8(index)], if: .absent)
                }
                // What a power cut would leave: the files as they are, without a close.
                let copy = folder + "/copy\(round)"
                try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
                for name in ["state.db", "state.db-wal"] {
                    try FileManager.default.copyItem(atPath: folder + "/" + name, toPath: copy + "/" + name)
                }
                let recovered = try EmbeddedState(path: copy + "/state.db")
                #expect(try await recovered.scan("n", prefix: "", after: nil, limit: 1000).count == (round + 1) * 30)
                try recovered.close()
            }
            try store.close()
        }
    }

    @Test("discards a torn tail of its write-ahead log and keeps what was acknowledged before")
    func tornTail() async throws {
        try await withFolder { folder in
            let store = try EmbeddedState(path: folder + "/state.db")
            try await store.put(StateKey("n", "a"), [1], if: .none)
            let copy = folder + "/copy"
            try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
            for name in ["state.db", "state.db-wal"] {
                try FileManager.default.copyItem(atPath: folder + "/" + name, toPath: copy + "/" + name)
            }
            let file = try #require(FileHandle(forWritingAtPath: copy + "/state.db-wal"))
            try file.seekToEnd()
            try file.write(contentsOf: Data(repeating: 0x5A, count: 3000))
            try file.close()
            let recovered = try EmbeddedState(path: copy + "/state.db")
            #expect(try await recovered.get(StateKey("n", "a"))?.value == [1])
            try await recovered.put(StateKey("n", "b"), [2], if: .absent)
            try recovered.close()
            try store.close()
        }
    }

    @Test("refuses a second process, and calls after close")
    func exclusive() async throws {
        try await withFolder { folder in
            let path = folder + "/state.db"
            let store = try EmbeddedState(path: path)
            #expect(throws: StateStoreError.self) { try EmbeddedState(path: path) }
            let changes = store.watch("n")
            try store.close()
            try store.close()
            await #expect(throws: StateStoreError.self) { try await store.get(StateKey("n", "a")) }
            await #expect(throws: StateStoreError.self) { try await store.put(StateKey("n", "a"), [], if: .none) }
            for await _ in changes { Issue.record("a change after close") }
        }
    }

    @Test("answers each write of a group with its own outcome")
    func groups() async throws {
        try await withFolder { folder in
            let store = try EmbeddedState(path: folder + "/state.db")
            let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
                for writer in 0..<200 {
                    group.addTask {
                        do {
                            try await store.put(StateKey("n", "\(writer % 50)"), [UInt8(writer)], if: .absent)
                            return true
                        } catch StateStoreError.conflict {
                            return false
                        }
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wins == 50)
            let entries = try await store.scan("n", prefix: "", after: nil, limit: 100)
            #expect(Set(entries.map(\.revision)).count == 50)
            try store.close()
        }
    }

    @Test("refuses a file that is no state database as corrupt")
    func notADatabase() async throws {
        try await withFolder { folder in
            let path = folder + "/state.db"
            try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: path))
            do {
                _ = try EmbeddedState(path: path)
                Issue.record("it opened")
            } catch {
                guard case StateStoreError.corrupt(let message) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(message.contains(path))
            }
        }
    }

    @Test("never serves a value whose bytes were changed in the file")
    func flippedByte() async throws {
        try await withFolder { folder in
            let path = folder + "/state.db"
            let value = Array("a value that is easy to find".utf8)
            let first = try EmbeddedState(path: path)
            try await first.put(StateKey("n", "a"), value, if: .none)
            try first.close()
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            let place = try #require(bytes.range(of: Data(value)))
            bytes[place.lowerBound + 3] ^= 1
            try bytes.write(to: URL(fileURLWithPath: path))
            let second = try EmbeddedState(path: path)
            do {
                _ = try await second.get(StateKey("n", "a"))
                Issue.record("it was served")
            } catch {
                guard case StateStoreError.corrupt = error else {
                    Issue.record("\(error)")
                    return
                }
            }
            try second.close()
        }
    }

    @Test("says what to do when its folder is missing")
    func missingFolder() throws {
        do {
            _ = try EmbeddedState(path: "/nonexistent/folder/state.db")
            Issue.record("it opened")
        } catch {
            guard case .unavailable(let message, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(message.contains("/nonexistent/folder/state.db"))
            #expect(message.contains("check that the folder exists"))
        }
    }
}

/// Needs the right to mount a file system.
@Suite("The embedded state store on a full disk", .serialized, .enabled(if: SmallDisk.isPossible))
struct FullDiskTests {
    @Test("refuses writes as unavailable, serves reads, loses nothing, and goes on when space returns")
    func fullDisk() async throws {
        try await SmallDisk.run { folder in
            let store = try EmbeddedState(path: folder + "/state.db")
            try await store.put(StateKey("n", "first"), [1], if: .none)
            let ballast = folder + "/ballast"
            var acked: [String] = []
            var refused: StateStoreError?
            try Data(count: 1 << 20).write(to: URL(fileURLWithPath: ballast))
            for index in 0..<4000 where refused == nil {
                do {
                    try await store.put(StateKey("n", "k\(index)"), [UInt8](repeating: 7, count: 4000), if: .absent)
                    acked.append("k\(index)")
                } catch {
                    refused = error as? StateStoreError
                }
            }
            guard case .unavailable(let message, _) = try #require(refused) else {
                Issue.record("\(String(describing: refused))")
                return
            }
            #expect(message.contains("no space left"))
            #expect(!acked.isEmpty)
            for name in acked { #expect(try await store.get(StateKey("n", name)) != nil) }
            try FileManager.default.removeItem(atPath: ballast)
            try await store.put(StateKey("n", "after"), [2], if: .absent)
            try store.close()
            let again = try EmbeddedState(path: folder + "/state.db")
            let names = try await again.scan("n", prefix: "k", after: nil, limit: 5000).map(\.key.name)
            #expect(Set(names) == Set(acked))
            #expect(try await again.get(StateKey("n", "after"))?.value == [2])
            try again.close()
        }
    }
}

/// A file system of 4 MiB in memory.
enum SmallDisk {
    static let isPossible: Bool = {
        let folder = NSTemporaryDirectory() + "/millrace-probe-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard mount(folder) else { return false }
        return command("umount", folder)
    }()

    static func run(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "/millrace-small-" + UUID().uuidString
        try #require(mount(folder))
        defer {
            _ = command("umount", folder)
            try? FileManager.default.removeItem(atPath: folder)
        }
        try await body(folder)
    }

    private static func mount(_ folder: String) -> Bool {
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return command("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
    }

    private static func command(_ arguments: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
