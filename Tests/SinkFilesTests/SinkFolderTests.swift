import Foundation
import Synchronization
import Testing

@testable import SinkFiles

/// A folder that is removed when the test is over.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "sink-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("\(error)")
        }
    }

    func files() -> [String] {
        let all = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return all.filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(path)/\($0)", isDirectory: &isFolder)
                && !isFolder.boolValue
        }.sorted()
    }

    func text(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

    func mode(_ name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
        return try #require(attributes[.posixPermissions] as? Int)
    }
}

@Suite struct SinkFolderTests {
    @Test("a file appears whole, under its name, with its modes, and nothing stays behind")
    func wholeFile() throws {
        let folder = try TemporaryFolder()
        let sink = SinkFolder(root: folder.path + "/bucket/")
        let writer = try sink.open(owner: "o")
        try writer.append(Array("one".utf8))
        try writer.append(Array("two".utf8), delimiter: [0x0A])
        try writer.append([UInt8](repeating: UInt8(ascii: "x"), count: 300_000))
        #expect(writer.recordCount == 3 && writer.byteCount == 300_007)
        #expect(folder.files().count == 1)
        let pending = try writer.prepare(as: SinkPath("a/b/name.log"))
        #expect(pending.byteCount == 300_007)
        #expect(folder.files() == ["bucket/.inprogress/\(pending.temporary)"])
        try sink.finalize(pending)
        #expect(folder.files() == ["bucket/a/b/name.log"])
        #expect(try folder.text("bucket/a/b/name.log") == "onetwo\n" + String(repeating: "x", count: 300_000))
        #expect(try folder.mode("bucket/a/b/name.log") & 0o137 == 0)
        #expect(try folder.mode("bucket/a/b") & 0o027 == 0)
    }

    @Test("what a crash left after preparing is finished, and finishing twice changes nothing")
    func recovery() throws {
        let folder = try TemporaryFolder()
        let writer = try SinkFolder(root: folder.path).open(owner: "o")
        try writer.append(Array("data".utf8))
        let pending = try writer.prepare(as: SinkPath("a/name"))
        #expect(try SinkFolder(root: folder.path).recover(pending))
        #expect(folder.files() == ["a/name"])
        #expect(try SinkFolder(root: folder.path).recover(pending))
        #expect(try folder.text("a/name") == "data")
    }

    @Test("a temporary file that is gone or cut short is not finished")
    func cutShort() throws {
        let folder = try TemporaryFolder()
        let sink = SinkFolder(root: folder.path)
        let writer = try sink.open(owner: "o")
        try writer.append(Array("data".utf8))
        var pending = try writer.prepare(as: SinkPath("a/name"))
        pending.byteCount += 1
        #expect(try !sink.recover(pending))
        #expect(folder.files() == [])
        #expect(try !sink.recover(pending))
    }

    @Test("a sweep removes the owner's unfinished files only")
    func sweep() throws {
        let folder = try TemporaryFolder()
        let sink = SinkFolder(root: folder.path)
        let mine = try sink.open(owner: "me")
        let kept = try sink.open(owner: "me").prepare(as: try SinkPath("2"))
        let other = try sink.open(owner: "me2").prepare(as: try SinkPath("3"))
        #expect(try sink.sweep(owner: "me", keeping: kept.temporary) == 1)
        #expect(folder.files() == [".inprogress/\(kept.temporary)", ".inprogress/\(other.temporary)"].sorted())
        #expect(mine.byteCount == 0)
        #expect(try SinkFolder(root: folder.path + "/none").sweep(owner: "me") == 0)
    }

    @Test("a discarded file leaves nothing")
    func discard() throws {
        let folder = try TemporaryFolder()
        let writer = try SinkFolder(root: folder.path).open(owner: "o")
        try writer.append(Array("data".utf8))
        try writer.discard()
        #expect(folder.files() == [])
    }

    @Test("a folder that somebody removed is made again")
    func removedFolder() throws {
        let folder = try TemporaryFolder()
        let sink = SinkFolder(root: folder.path + "/b")
        try sink.finalize(sink.open(owner: "o").prepare(as: try SinkPath("a/1")))
        try FileManager.default.removeItem(atPath: folder.path + "/b")
        #expect(throws: SinkError.self) { try sink.open(owner: "o") }
        try sink.finalize(sink.open(owner: "o").prepare(as: try SinkPath("a/3")))
        #expect(folder.files() == ["b/a/3"])
    }

    @Test("a full disk is named with the path and the promise to go on")
    func fullDisk() throws {
        let folder = try TemporaryFolder()
        let sink = SinkFolder(root: folder.path) { step, _ in step == .write ? ENOSPC : 0 }
        let writer = try sink.open(owner: "o")
        try writer.append(Array("data".utf8))
        let error = #expect(throws: SinkError.self) { _ = try writer.prepare(as: SinkPath("1")) }
        #expect(error?.code == .noSpace)
        let text = try #require(error?.description)
        #expect(text.contains("can't write to \(folder.path)/.inprogress/o."))
        #expect(text.contains("No space left on device; free space there: delivery tries again by itself"))
    }

    @Test("a file where a folder should be is reported with its path")
    func fileInTheWay() throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder.path + "/a"))
        let sink = SinkFolder(root: folder.path)
        let pending = try sink.open(owner: "o").prepare(as: try SinkPath("a/1"))
        let error = #expect(throws: SinkError.self) { try sink.finalize(pending) }
        #expect(error?.description == "can't make the folder \(folder.path)/a: Not a directory")
    }

    @Test("the file is synced before it is moved, and the folders that name it before finalize returns")
    func order() throws {
        let folder = try TemporaryFolder()
        let steps = Mutex<[String]>([])
        let sink = SinkFolder(root: folder.path + "/b") { step, path in
            steps.withLock { $0.append("\(step.rawValue) \(path.dropFirst(folder.path.count))") }
            return 0
        }
        let writer = try sink.open(owner: "o")
        try writer.append([1])
        let pending = try writer.prepare(as: SinkPath("x/1"))
        let temporary = "/b/.inprogress/\(pending.temporary)"
        #expect(
            steps.withLock { $0 }.filter { !$0.hasPrefix("look") } == [
                "makeFolder /b", "syncFolder ", "makeFolder /b/.inprogress", "syncFolder /b", "open \(temporary)",
                "write \(temporary)", "syncFile \(temporary)",
            ]
        )
        steps.withLock { $0 = [] }
        try sink.finalize(pending)
        #expect(
            steps.withLock { $0 } == [
                "makeFolder /b/x", "syncFolder /b", "rename /b/x/1", "syncFolder /b/x", "syncFolder /b/.inprogress",
            ]
        )
    }
}
