import Foundation
import Synchronization
import Testing

@testable import JournalTail

@Suite(.serialized) struct JournalTailTests {
    private func configuration(_ journald: Journald) -> JournalTailConfiguration {
        var configuration = JournalTailConfiguration(directory: journald.journal)
        configuration.initialPosition = .head
        return configuration
    }

    private func follow(
        _ configuration: JournalTailConfiguration,
        _ checkpoints: [JournalCheckpoint] = []
    ) throws -> JournalTail {
        let tail = try JournalTail(configuration, restoring: checkpoints)
        try tail.start()
        return tail
    }

    @Test("entries of every kind arrive as journalctl shows them")
    func sameAsJournalctl() throws {
        let journald = try Journald()
        try journald.run("lines 1 50")
        try journald.run(
            #"native "send(b'MESSAGE=two\nTWICE=a\nTWICE=b\nBINARY\n' + bytes([3,0,0,0,0,0,0,0,255,0,10,10]))""#
        )
        try journald.run(#"native "send('MESSAGE=quote \\x22 back \\x5c tab \\x09 é\n'.encode())""#)
        try journald.run("journalctl --sync")
        let expected = try journald.entries().map {
            $0.filter { !$0.key.hasPrefix("__") || $0.key == "__REALTIME_TIMESTAMP" }
        }
        let tail = try follow(configuration(journald))
        defer { tail.stop() }
        let received = Received()
        try received.take(tail, until: received.records.count >= expected.count, "all entries")
        let got = try received.texts.map {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
        }
        #expect(got.count == expected.count)
        for (one, other) in zip(got, expected) {
            #expect(one as NSDictionary == other as NSDictionary)
        }
        #expect(got.contains { ($0["TWICE"] as? [String])?.sorted() == ["a", "b"] })
        #expect(got.contains { ($0["BINARY"] as? [Int]) == [255, 0, 10] })
        #expect(received.gaps == 0)
    }

    @Test("the newest entries arrive soon after they are written, behind the tail only new ones")
    func tailAndFollow() throws {
        let journald = try Journald()
        try journald.run("lines 1 20 old")
        // Else journald may still have some of them in its socket when the tail is opened behind what it has written.
        try journald.run("journalctl --sync")
        var configuration = configuration(journald)
        configuration.initialPosition = .tail
        configuration.format = .message
        configuration.appendsNewline = false
        let tail = try follow(configuration)
        defer { tail.stop() }
        let received = Received()
        while tail.revision == 0 { usleep(1000) }
        try journald.run("lines 1 20 new")
        try received.take(tail, until: received.records.count >= 20, "new entries")
        #expect(received.texts == (1...20).map { "new \($0)" })
    }

    @Test("matches choose entries")
    func matches() throws {
        let journald = try Journald()
        try journald.run("lines 1 20")
        try journald.run(#"native "send(b'MESSAGE=chosen\nKIND=this\n')""#)
        var configuration = configuration(journald)
        configuration.matches = ["KIND=this"]
        configuration.format = .message
        configuration.appendsNewline = false
        let tail = try follow(configuration)
        defer { tail.stop() }
        let received = Received()
        try received.take(tail, until: received.records.count >= 1, "the chosen entry")
        #expect(received.texts == ["chosen"])
        #expect(throws: JournalTailError.badMatch("KIND")) {
            configuration.matches = ["KIND"]
            _ = try JournalTail(configuration, restoring: [])
        }
    }

    @Test("a restart goes on behind the last acknowledged entry, also in the middle of a chunk")
    func resume() throws {
        let journald = try Journald()
        try journald.run("lines 1 500")
        var configuration = configuration(journald)
        configuration.format = .message
        let received = Received()
        var checkpoints: [JournalCheckpoint] = []
        for round in 0..<12 {
            let tail = try follow(configuration, checkpoints)
            let before = received.order.count
            let end = Date(timeIntervalSinceNow: 5)
            while received.order.count < min(500, before + 60), Date() < end {
                if try !received.take(tail, maxBytes: 300 + round * 40) { usleep(1000) }
            }
            received.acknowledge(tail)
            if round % 3 == 2 { _ = try received.take(tail) }
            received.forgetUnacknowledged()
            checkpoints = tail.checkpoints()
            tail.stop()
        }
        let tail = try follow(configuration, checkpoints)
        defer { tail.stop() }
        try received.take(tail, until: received.texts.contains("line 500\n"), "the last entry")
        #expect(received.texts.filter { $0.hasPrefix("line") } == (1...500).map { "line \($0)\n" })
        #expect(Set(received.order.map(\.source)).count == 1)
        #expect(received.gaps == 0)
    }

    @Test("entries vacuumed while the agent was away are a gap of exactly their number")
    func gapAfterVacuum() throws {
        let journald = try Journald()
        try journald.run("lines 1 100")
        let received = Received()
        let first = try follow(configuration(journald))
        let before = try journald.lastSequence()
        try received.take(first, until: received.order.last?.sequence == before, "the first entries")
        let checkpoints = first.checkpoints()
        first.stop()
        try journald.run("lines 101 200")
        // Lines that come behind the rotation are not vacuumed.
        try journald.run("journalctl --sync && journalctl --rotate")
        try journald.run("journalctl --vacuum-files=1")
        try journald.run("lines 301 10")
        let sequences = try journald.entries().compactMap {
            ($0["__CURSOR"] as? String).flatMap(JournalCursor.init)?.sequence
        }
        let oldest = try #require(sequences.min())
        let tail = try follow(configuration(journald), checkpoints)
        defer { tail.stop() }
        try received.take(tail, until: received.order.last?.sequence == sequences.last, "the newest entries")
        #expect(oldest > before + 200)
        #expect(received.gaps == oldest - before - 1)
        #expect(Set(received.order.map(\.source)).count == 1)
    }

    @Test("trap A: after a rollback of the journal new entries arrive, under a new source")
    func cursorBeyondEnd() throws {
        let journald = try Journald()
        try journald.run("lines 1 50 kept")
        try journald.run("journalctl --sync && stop && cp -a $folder/journal/. $folder/snapshot && start")
        try journald.run("lines 1 50 undone")
        let received = Received()
        var configuration = configuration(journald)
        configuration.format = .message
        let first = try follow(configuration)
        try received.take(first, until: received.texts.contains("undone 50\n"), "entries before the rollback")
        let checkpoints = first.checkpoints()
        first.stop()
        try journald.run("stop && rm -rf $folder/journal/* && cp -a $folder/snapshot/. $folder/journal && start")
        try journald.run("lines 1 5 after")
        let tail = try follow(configuration, checkpoints)
        defer { tail.stop() }
        try received.take(tail, until: received.texts.contains("after 5\n"), "entries after the rollback")
        #expect(received.notices.contains(.cursorBeyondEnd))
        try journald.run("lines 6 5 after")
        try received.take(tail, until: received.texts.contains("after 10\n"), "entries later on")
        #expect(received.texts.filter { $0.hasPrefix("after") } == (1...10).map { "after \($0)\n" })
        #expect(received.texts.filter { $0.hasPrefix("kept") }.count == 50)
        #expect(received.texts.filter { $0.hasPrefix("undone") }.count == 50)
    }

    @Test("a journal wiped while the agent was away is read from its head")
    func wiped() throws {
        let journald = try Journald()
        try journald.run("lines 1 50 before")
        let received = Received()
        var configuration = configuration(journald)
        configuration.format = .message
        let first = try follow(configuration)
        try received.take(first, until: received.texts.contains("before 50\n"), "entries before")
        let checkpoints = first.checkpoints()
        first.stop()
        try journald.run("stop && rm -rf $folder/journal/* && start")
        try journald.run("lines 1 5 after")
        let tail = try follow(configuration, checkpoints)
        defer { tail.stop() }
        try received.take(tail, until: received.texts.contains("after 5\n"), "entries after")
        #expect(received.notices.contains(.gapOfUnknownSize) || received.notices.contains(.cursorBeyondEnd))
        #expect(received.texts.filter { $0.hasPrefix("after") } == (1...5).map { "after \($0)\n" })
    }

    @Test("trap B: an access behind the end of a mapped file reads zeros and is counted")
    func sigbusGuard() throws {
        let path = "\(NSTemporaryDirectory())guard-\(UUID().uuidString)"
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        defer {
            close(descriptor)
            unlink(path)
        }
        #expect(ftruncate(descriptor, 8192) == 0)
        let map = try #require(mmap(nil, 8192, PROT_READ, MAP_SHARED, descriptor, 0))
        defer { munmap(map, 8192) }
        #expect(ftruncate(descriptor, 0) == 0)
        let address = UInt(bitPattern: map)
        let seen = Mutex<(UInt8, UInt64)?>(nil)
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let before = MappingGuard.mendedFaults
            guard MappingGuard.install() == 0, let map = UnsafeRawPointer(bitPattern: address) else { return }
            let byte = map.load(fromByteOffset: 5000, as: UInt8.self)
            seen.withLock { $0 = (byte, MappingGuard.mendedFaults - before) }
            done.signal()
        }
        done.wait()
        #expect(seen.withLock { $0?.0 } == 0)
        #expect((seen.withLock { $0?.1 } ?? 0) >= 1)
    }

    @Test("trap B: rotated and vacuumed under load, each entry arrives once or is in a gap", arguments: [0, 1, 2])
    func storm(round: Int) throws {
        let journald = try Journald(most: "1M")
        try journald.run("lines 1 10")
        let received = Received()
        var checkpoints: [JournalCheckpoint] = []
        var tail = try follow(configuration(journald))
        // The writer and the vacuum run beside the reader, which lags and is restarted.
        let program = "for n in range(40000): send(b'MESSAGE=storm %d' % n + b' x' * 60 + bytes([10]))"
        try journald.run("(native \"\(program)\"; touch $folder/written) & writer=$!")
        try journald.run(
            "(while [ ! -e $folder/written ]; do journalctl --rotate; journalctl --vacuum-files=2; sleep 0.02; done) & vacuum=$!"
        )
        let written = "\(journald.folder)/written"
        while !FileManager.default.fileExists(atPath: written) {
            for _ in 0..<5 { try received.take(tail) }
            received.acknowledge(tail)
            usleep(30_000)
            if Int.random(in: 0..<20) == 0 {
                _ = try received.take(tail)
                checkpoints = tail.checkpoints()
                tail.stop()
                received.forgetUnacknowledged()
                tail = try follow(configuration(journald), checkpoints)
            }
        }
        defer { tail.stop() }
        try journald.run("wait $writer $vacuum; journalctl --sync")
        let last = try journald.lastSequence()
        try received.take(tail, until: received.order.last?.sequence == last, within: 60, "the end of the storm")
        let sequences = received.order.map(\.sequence)
        #expect(sequences == sequences.sorted(), "in order")
        #expect(Set(received.order.map(\.source)).count == 1)
        let first = try #require(sequences.first)
        // A gap told before a restart that took its entries back is told again: count by what is missing.
        var gap: Set<Int64> = []
        for case .gap(_, let count, let sequence) in received.notices { gap.formUnion((sequence - count)..<sequence) }
        #expect(last > 40_000)
        let all = Set(first...last)
        #expect(all.subtracting(sequences).subtracting(gap).isEmpty, "nothing unaccounted for")
        // What arrived just before a restart and was not acknowledged cannot be told from what was lost.
        #expect(gap.intersection(sequences).isSubset(of: received.takenBack), "nothing in a gap arrived")
    }

    @Test("trap C: a journal that may not be read is told, and read as soon as it may")
    func noPermission() throws {
        let journald = try Journald()
        try journald.run("lines 1 10; journalctl --sync; stop; chmod -R go-rwx $folder/journal")
        try journald.run("chmod 755 $folder")
        let tail = try JournalTail(configuration(journald), restoring: []) {
            // The file system's user of this thread alone: nobody.
            typealias Call = @convention(c) (UInt32) -> Int32
            if let call = dlsym(nil, "setfsuid") { _ = unsafeBitCast(call, to: Call.self)(65534) }
        }
        try tail.start()
        defer { tail.stop() }
        let received = Received()
        let isTold = { received.notices.contains { if case .unreadable(_, EACCES) = $0 { true } else { false } } }
        try received.take(tail, until: isTold(), "the notice")
        #expect(received.records.isEmpty)
        let notice = try #require(received.notices.first)
        #expect(notice.message.contains("systemd-journal"))
        try journald.run("chmod -R a+rX $folder/journal")
        try received.take(tail, until: received.records.count >= 10, "entries")
        #expect(received.notices.contains(.readableAgain))
        try journald.run("start")
    }

    @Test("trap D: a damaged file is a gap of exactly the entries that cannot be read")
    func damagedFile() throws {
        let journald = try Journald()
        try journald.run("lines 1 100; journalctl --sync")
        let received = Received()
        let first = try follow(configuration(journald))
        let before = try journald.lastSequence()
        try received.take(first, until: received.order.last?.sequence == before, "the first entries")
        let checkpoints = first.checkpoints()
        first.stop()
        try journald.run("journalctl --rotate; lines 101 300; journalctl --sync")
        let damaged = try #require(journald.files.first { $0.hasSuffix("/system.journal") })
        let lost = try journald.lastSequence()
        try journald.run("journalctl --rotate; lines 401 20; journalctl --sync")
        let archived = try #require(
            journald.files.filter { $0.contains("system@") }.max { one, other in
                // The name ends in the first entry's number and time.
                one < other
            }
        )
        #expect(damaged != archived)
        let handle = try #require(FileHandle(forWritingAtPath: archived))
        try handle.truncate(atOffset: 0)
        try handle.close()
        let sequences = try journald.entries().compactMap {
            ($0["__CURSOR"] as? String).flatMap(JournalCursor.init)?.sequence
        }
        let tail = try follow(configuration(journald), checkpoints)
        defer { tail.stop() }
        try received.take(tail, until: received.order.last?.sequence == sequences.last, "the newest entries")
        let missing = Set((before + 1)...(sequences.last ?? 0)).subtracting(sequences)
        #expect(missing.count >= 300)
        #expect(missing.contains(lost))
        #expect(received.gaps == Int64(missing.count))
    }

    @Test("a huge field is cut short and counted")
    func hugeField() throws {
        let journald = try Journald(most: "64M")
        try journald.run("big 3000000")
        try journald.run("lines 1 1")
        for format in [JournalTailConfiguration.Format.json, .message] {
            var configuration = configuration(journald)
            configuration.format = format
            configuration.maxEntryBytes = 10_000
            let tail = try follow(configuration)
            defer { tail.stop() }
            let received = Received()
            try received.take(tail, until: received.texts.contains { $0.contains("line 1") }, "the entry behind")
            #expect(received.texts.allSatisfy { $0.utf8.count <= 10_001 })
            #expect(received.texts.contains { $0.utf8.count > 2000 })
            #expect(received.shortened == 1)
        }
    }

    @Test("UTF-8 is told from other bytes")
    func validUTF8() {
        for length in 0..<5 {
            for _ in 0..<20_000 {
                let bytes = (0..<length + 7).map { $0 < 7 ? UInt8(ascii: "a") : UInt8.random(in: 0...255) }
                let isValid = String(validating: bytes, as: UTF8.self) != nil
                #expect(bytes.withUnsafeBytes { UTF8Text.isValid($0) } == isValid, "\(bytes)")
            }
        }
        let text = Array("aé€😀é".utf8)
        #expect(text.withUnsafeBytes { UTF8Text.isValid($0) })
        #expect(
            text.withUnsafeBytes { bytes in (0...12).map { UTF8Text.boundary(bytes, atMost: $0) } }
                == [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10, 12]
        )
    }
}
