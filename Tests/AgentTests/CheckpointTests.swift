import FileTail
import Foundation
import JournalTail
import Testing

@testable import Agent

@Suite("checkpoints")
struct CheckpointTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "agent-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func file(_ source: UInt64, offset: Int64) -> FileCheckpoint {
        FileCheckpoint(
            source: SourceID(rawValue: source),
            path: "/var/log/a \(source).log",
            device: .max,
            inode: 1 << 63,
            birthNanoseconds: 5,
            fingerprint: Fingerprint(prefixLength: 3, prefixHash: .max - 1, tailOffset: 9, tailHash: 1 << 63),
            offset: offset,
            sequence: offset / 10,
            cuts: [offset + 1, offset + 7],
            isRotated: true,
            isFinished: false,
            lastSeenMilliseconds: 123
        )
    }

    @Test("what was saved is there after reopening, to the last bit, and what was dropped is not")
    func reopen() throws {
        try withFolder { folder in
            let journal = JournalCheckpoint(source: .max, seqnumID: "ab", sequence: 7, cursor: "s=ab;i=7", order: 3)
            do {
                let held = try StateFolder(folder)
                let store = try CheckpointStore(folder: held.path)
                #expect(try !store.isKnown(flow: "f"))
                try store.save(.files([file(1, offset: 10), file(2, offset: 20)]), flow: "f")
                try store.save(.files([file(2, offset: 30), file(3, offset: 40)]), flow: "f")
                try store.save(.files([]), flow: "empty")
                try store.save(.journal([journal]), flow: "j")
                try store.setEndpoint("http://c", isMillrace: true, flow: "f")
                try store.close()
            }
            let store = try CheckpointStore(folder: folder)
            #expect(
                try store.files(of: "f").sorted { $0.offset < $1.offset } == [file(2, offset: 30), file(3, offset: 40)]
            )
            #expect(try store.journals(of: "j") == [journal])
            #expect(try store.isKnown(flow: "f") && store.isKnown(flow: "empty") && !store.isKnown(flow: "g"))
            #expect(try store.isMillrace(flow: "f", endpoint: "http://c"))
            #expect(try !store.isMillrace(flow: "f", endpoint: "http://d"))
            // A store that does not remember what it saved finds the rows to replace.
            try store.save(.files([file(3, offset: 50)]), flow: "f")
            #expect(try store.files(of: "f") == [file(3, offset: 50)])
        }
    }

    @Test("two agents can't share a state folder")
    func lock() throws {
        try withFolder { folder in
            let held = try StateFolder(folder)
            #expect(StateFolder.isHeld(folder))
            do {
                let other = try StateFolder(folder)
                Issue.record("\(other.path) was taken twice")
            } catch {
                #expect("\(error)".contains("in use by another agent"))
            }
            #expect(held.path == folder)
        }
    }

    @Test("a damaged file is refused with what to do")
    func damaged() throws {
        try withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(repeating: 0x41, count: 8192).write(to: URL(filePath: "\(folder)/\(CheckpointStore.fileName)"))
            do {
                _ = try CheckpointStore(folder: folder)
                Issue.record("it was opened")
            } catch {
                #expect("\(error)".contains("restore it from a backup"), "\(error)")
            }
        }
    }

    @Test("a file is shipped when every flow that reads it has acknowledged all of it")
    func shipped() throws {
        try withFolder { folder in
            let store = try CheckpointStore(folder: StateFolder(folder).path)
            let path = "\(folder)/a.log"
            try Data("0123456789".utf8).write(to: URL(filePath: path))
            var status = stat()
            #expect(stat(path, &status) == 0)
            func checkpoint(_ source: UInt64, _ offset: Int64, rotated: Bool = false) -> FileCheckpoint {
                FileCheckpoint(
                    source: SourceID(rawValue: source),
                    path: path,
                    device: UInt64(status.st_dev),
                    inode: UInt64(status.st_ino),
                    fingerprint: Fingerprint(),
                    offset: offset,
                    sequence: 1,
                    isRotated: rotated
                )
            }
            #expect(try ShippedFile(path: path, stateFolder: folder).isKnown == false)
            try store.save(.files([checkpoint(1, 10)]), flow: "f")
            #expect(try ShippedFile(path: path, stateFolder: folder).isComplete)
            try store.save(.files([checkpoint(2, 99, rotated: true), checkpoint(3, 4)]), flow: "g")
            let shipped = try ShippedFile(path: path, stateFolder: folder)
            #expect(shipped.offset == 4 && !shipped.isComplete)
            try store.close()
            #expect(try ShippedFile(path: path, stateFolder: folder).offset == 4)
            #expect(throws: AgentError.self) { try ShippedFile(path: path + "x", stateFolder: folder) }
        }
    }

    @Test("a status survives its file")
    func status() throws {
        try withFolder { folder in
            let held = try StateFolder(folder)
            let flow = FlowStatus(
                id: "kinesis:s:/x",
                recordsRead: 5,
                bytesRead: 50,
                recordsAcknowledged: 4,
                bytesAcknowledged: 40,
                lagBytes: 10,
                endpoint: "aws",
                trouble: "a \"quoted\" trouble",
                lastError: nil
            )
            let status = AgentStatus(isRunning: true, flows: [flow])
            try status.write(to: held.path)
            #expect(try AgentStatus(folder: folder) == status)
            #expect(status.summary == "5 lines read, 4 records acknowledged, 10 bytes behind, 1 of 1 flows in trouble")
            #expect(throws: AgentError.self) { try AgentStatus(folder: folder + "/none") }
        }
    }
}
