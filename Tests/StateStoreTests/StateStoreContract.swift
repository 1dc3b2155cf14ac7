import StateStore
import Testing

@Suite("Every state store")
struct StateStoreContract {
    @Test("gives back what was put, with its revision", arguments: Engine.allCases)
    func putGet(_ engine: Engine) async throws {
        try await engine.run { store in
            let key = StateKey("n", "a")
            #expect(try await store.get(key) == nil)
            let first = try await store.put(key, [1, 2, 3], if: .none)
            #expect(try await store.get(key) == StateEntry(key: key, value: [1, 2, 3], revision: first))
            let second = try await store.put(key, [], if: .none)
            #expect(second > first)
            #expect(try await store.get(key) == StateEntry(key: key, value: [], revision: second))
        }
    }

    @Test("refuses a put whose precondition fails, and says what is there", arguments: Engine.allCases)
    func preconditions(_ engine: Engine) async throws {
        try await engine.run { store in
            let key = StateKey("n", "a")
            await #expect(throws: StateStoreError.conflict(current: nil)) {
                try await store.put(key, [1], if: .revision(Revision(rawValue: 1)))
            }
            let first = try await store.put(key, [1], if: .absent)
            await #expect(throws: StateStoreError.conflict(current: first)) {
                try await store.put(key, [2], if: .absent)
            }
            let second = try await store.put(key, [2], if: .revision(first))
            await #expect(throws: StateStoreError.conflict(current: second)) {
                try await store.put(key, [3], if: .revision(first))
            }
            #expect(try await store.get(key)?.value == [2])
        }
    }

    @Test("deletes under the same preconditions, and nothing that is not there", arguments: Engine.allCases)
    func deletes(_ engine: Engine) async throws {
        try await engine.run { store in
            let key = StateKey("n", "a")
            try await store.delete(key, if: .none)
            try await store.delete(key, if: .absent)
            let first = try await store.put(key, [1], if: .absent)
            await #expect(throws: StateStoreError.conflict(current: first)) { try await store.delete(key, if: .absent) }
            let wrong = Revision(rawValue: first.rawValue + 100)
            await #expect(throws: StateStoreError.conflict(current: first)) {
                try await store.delete(key, if: .revision(wrong))
            }
            try await store.delete(key, if: .revision(first))
            #expect(try await store.get(key) == nil)
            await #expect(throws: StateStoreError.conflict(current: nil)) {
                try await store.delete(key, if: .revision(first))
            }
        }
    }

    @Test("never repeats a revision of a key that was deleted and written again", arguments: Engine.allCases)
    func revisionsGrow(_ engine: Engine) async throws {
        try await engine.run { store in
            let key = StateKey("n", "a")
            var last = Revision(rawValue: 0)
            for round in 0..<20 {
                let revision = try await store.put(key, [UInt8(round)], if: .absent)
                #expect(revision > last)
                last = revision
                try await store.delete(key, if: .revision(revision))
            }
        }
    }

    @Test("scans by prefix, behind a name, up to a limit, in the order of UTF-8 bytes", arguments: Engine.allCases)
    func scans(_ engine: Engine) async throws {
        try await engine.run { store in
            let names = ["a", "a/1", "a/10", "a/2", "a0", "b", "é", "z", "\u{1F600}", ""]
            for name in names { try await store.put(StateKey("n", name), Array(name.utf8), if: .absent) }
            try await store.put(StateKey("m", "a/3"), [9], if: .absent)
            let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            let all = try await store.scan("n", prefix: "", after: nil, limit: 100)
            #expect(all.map(\.key.name) == sorted)
            #expect(all.allSatisfy { $0.value == Array($0.key.name.utf8) })
            let some = try await store.scan("n", prefix: "a/", after: nil, limit: 100)
            #expect(some.map(\.key.name) == ["a/1", "a/10", "a/2"])
            let behind = try await store.scan("n", prefix: "a/", after: "a/1", limit: 1)
            #expect(behind.map(\.key.name) == ["a/10"])
            #expect(try await store.scan("n", prefix: "a/", after: "b", limit: 9).isEmpty)
            #expect(try await store.scan("n", prefix: "b", after: "a", limit: 9).map(\.key.name) == ["b"])
            #expect(try await store.scan("n", prefix: "", after: nil, limit: 0).isEmpty)
            #expect(try await store.scan("o", prefix: "", after: nil, limit: 9).isEmpty)
        }
    }

    @Test("keeps names apart that differ only in Unicode composition or hold NUL", arguments: Engine.allCases)
    func namesAreBytes(_ engine: Engine) async throws {
        try await engine.run { store in
            for (index, name) in ["\u{E9}", "e\u{301}", "a\u{0}b", "a"].enumerated() {
                try await store.put(StateKey("n", name), [UInt8(index)], if: .absent)
            }
            #expect(try await store.get(StateKey("n", "e\u{301}"))?.value == [1])
            #expect(try await store.get(StateKey("n", "a\u{0}b"))?.value == [2])
            #expect(try await store.scan("n", prefix: "", after: nil, limit: 9).count == 4)
        }
    }

    @Test("takes values up to the limit and refuses larger ones", arguments: Engine.allCases)
    func valueLimit(_ engine: Engine) async throws {
        try await engine.run { store in
            let key = StateKey("n", "a")
            let largest = [UInt8](repeating: 0xA5, count: StateLimits.valueBytes)
            try await store.put(key, largest, if: .none)
            #expect(try await store.get(key)?.value == largest)
            await #expect(throws: StateStoreError.tooLarge(limit: StateLimits.valueBytes)) {
                try await store.put(key, largest + [0], if: .none)
            }
        }
    }

    @Test("lets one of many racing writers win each round", arguments: Engine.allCases)
    func races(_ engine: Engine) async throws {
        try await engine.run { store in
            let key = StateKey("n", "counter")
            try await store.put(key, [0, 0], if: .absent)
            let wins = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        var wins = 0
                        while wins < 20 {
                            let entry = try #require(try await store.get(key))
                            let next = Int(entry.value[0]) << 8 + Int(entry.value[1]) + 1
                            let value = [UInt8(next >> 8), UInt8(next & 255)]
                            do {
                                try await store.put(key, value, if: .revision(entry.revision))
                                wins += 1
                            } catch StateStoreError.conflict {
                                continue
                            }
                        }
                        return wins
                    }
                }
                return try await group.reduce(0, +)
            }
            let value = try #require(try await store.get(key)).value
            #expect(wins == 240)
            #expect(Int(value[0]) << 8 + Int(value[1]) == 240)
        }
    }

    @Test("shows every write that returned to every later read", arguments: Engine.allCases)
    func readsOwnWrites(_ engine: Engine) async throws {
        try await engine.run { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        for round in 0..<25 {
                            let key = StateKey("n", "\(writer)-\(round)")
                            let revision = try await store.put(key, [UInt8(round)], if: .absent)
                            #expect(try await store.get(key)?.revision == revision)
                            #expect(
                                try await store.scan("n", prefix: "\(writer)-", after: nil, limit: 99).count == round
                                    + 1
                            )
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("tells a watcher of a namespace every change in order", arguments: Engine.allCases)
    func watches(_ engine: Engine) async throws {
        try await engine.run { store in
            let key = StateKey("n", "a")
            try await store.put(key, [0], if: .none)
            let changes = store.watch("n")
            let first = try await store.put(key, [1], if: .none)
            try await store.put(StateKey("m", "a"), [2], if: .none)
            try await store.delete(key, if: .none)
            try await store.delete(key, if: .none)
            let second = try await store.put(key, [3], if: .none)
            var seen: [StateChange] = []
            for await change in changes {
                seen.append(change)
                if seen.count == 3 { break }
            }
            #expect(
                seen == [
                    .put(StateEntry(key: key, value: [1], revision: first)), .delete(key),
                    .put(StateEntry(key: key, value: [3], revision: second)),
                ]
            )
        }
    }

    @Test("ends the stream of a watcher that lags too far", arguments: Engine.allCases)
    func slowWatcher(_ engine: Engine) async throws {
        try await engine.run { store in
            let changes = store.watch("n")
            for round in 0..<1100 { try await store.put(StateKey("n", "\(round)"), [], if: .none) }
            var count = 0
            for await _ in changes { count += 1 }
            #expect(count == 1024)
        }
    }
}
