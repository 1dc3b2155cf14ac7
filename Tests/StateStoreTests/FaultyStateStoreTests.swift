import StateStore
import Testing

@Suite("The faulty store")
struct FaultyStateStoreTests {
    @Test("injects the same faults for the same seed")
    func repeats() async throws {
        func run(_ seed: UInt64) async -> [String] {
            let rates = FaultyStateStore.Rates(unknownApplied: 0.2, unknownNotApplied: 0.2, unavailable: 0.2)
            let store = FaultyStateStore(MemoryStateStore(), seed: seed, rates: rates)
            var outcomes: [String] = []
            for round in 0..<200 {
                do {
                    try await store.put(StateKey("n", "\(round)"), [], if: .none)
                    outcomes.append("ok")
                } catch {
                    outcomes.append("\(error)")
                }
            }
            return outcomes
        }
        let first = await run(1)
        #expect(await run(1) == first)
        #expect(await run(2) != first)
        #expect(Set(first).count == 4)
    }

    @Test("applies a write before a lost acknowledgement and not before a lost write")
    func unknowns() async throws {
        let base = MemoryStateStore()
        let lostAnswer = FaultyStateStore(base, seed: 1, rates: .init(unknownApplied: 1))
        await #expect(throws: StateStoreError.self) { try await lostAnswer.put(StateKey("n", "a"), [1], if: .none) }
        #expect(try await base.get(StateKey("n", "a")) != nil)
        let lostWrite = FaultyStateStore(base, seed: 1, rates: .init(unknownNotApplied: 1))
        await #expect(throws: StateStoreError.self) { try await lostWrite.put(StateKey("n", "b"), [1], if: .none) }
        #expect(try await base.get(StateKey("n", "b")) == nil)
        #expect(lostWrite.injectedErrors == 1)
    }

    @Test("loses and repeats no step of clients that resolve unknown outcomes by reading", arguments: 1...5)
    func countsExactly(_ seed: Int) async throws {
        let rates = FaultyStateStore.Rates(
            unknownApplied: 0.1,
            unknownNotApplied: 0.1,
            unavailable: 0.1,
            delay: 0.2,
            longestDelay: .milliseconds(1)
        )
        let base = MemoryStateStore()
        let store = FaultyStateStore(base, seed: UInt64(seed), rates: rates)
        // One key for each client, so that a read decides what an unknown outcome was.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<4 {
                group.addTask {
                    let key = StateKey("n", "\(client)")
                    var done: UInt8 = 0
                    var revision: Revision?
                    while done < 50 {
                        do {
                            let precondition = revision.map { StatePrecondition.revision($0) } ?? .absent
                            revision = try await store.put(key, [done + 1], if: precondition)
                            done += 1
                        } catch StateStoreError.unknown {
                            let entry = try #require(
                                try? await base.get(key)
                                    ?? StateEntry(
                                        key: key,
                                        value: [0],
                                        revision: Revision(rawValue: 0)
                                    )
                            )
                            if entry.value[0] == done + 1 {
                                revision = entry.revision
                                done += 1
                            }
                        } catch StateStoreError.unavailable {
                            continue
                        }
                    }
                    #expect(try await base.get(key)?.value == [50])
                }
            }
            try await group.waitForAll()
        }
        #expect(store.injectedErrors > 0)
    }
}
