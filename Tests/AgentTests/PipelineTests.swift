import Foundation
import Testing

@testable import Agent

@Suite("pipeline")
struct PipelineTests {
    /// Runs reader and sender over `lines` until everything is acknowledged (or `until` holds), then stops.
    @discardableResult
    private func ship(
        _ lines: [String],
        from start: Int = 0,
        _ publisher: ScriptedPublisher,
        _ store: MemoryCheckpoints = MemoryCheckpoints(),
        flow: FlowConfiguration = testFlow(),
        until: @escaping @Sendable (FlowMeters.Values) -> Bool
    ) async throws -> FlowMeters.Values {
        let (handoff, meters) = (Handoff(), FlowMeters())
        let sender = FlowSender(flow: flow, publisher: publisher, handoff: handoff, meters: meters, logger: silent)
        async let sending: Void = sender.run()
        async let reading: Void = FlowThread.run {
            let source = ScriptedSource(lines: lines, from: start)
            FlowReader(
                flow: flow,
                source: source,
                store: store,
                handoff: handoff,
                meters: meters,
                logger: silent,
                saveInterval: .milliseconds(1)
            ).run()
        }
        let deadline = ContinuousClock.now + .seconds(20)
        while !until(meters.values), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(2)) }
        handoff.stop()
        await sending
        try await reading
        return meters.values
    }

    private let lines = (0..<100).map { "line \($0)\n" }

    @Test("every line arrives once and in order, one request at a time, and the checkpoint follows")
    func straight() async throws {
        let (publisher, store) = (ScriptedPublisher(.millrace(maxRecords: 1000)), MemoryCheckpoints())
        var flow = testFlow()
        flow.maxBufferRecords = 7
        let values = try await ship(lines, publisher, store, flow: flow) { $0.recordsAcknowledged == 100 }
        publisher.state.withLock { state in
            #expect(state.stored == lines)
            #expect(state.mostInFlight == 1)
            #expect(state.producers.first == "0000000000000007:0+7")
        }
        #expect(store.sequence == 100)
        #expect(values.recordsRead == 100)
        #expect(values.endpoint == .millrace(maxRecords: 1000))
    }

    @Test("of a partial failure the failed records alone are sent again, in order, with their own numbers")
    func partial() async throws {
        let publisher = ScriptedPublisher(.millrace(maxRecords: 1000), [.failing([1, 4, 5]), .failing([0])])
        var flow = testFlow()
        flow.maxBufferRecords = 6
        try await ship(Array(lines[..<6]), publisher, flow: flow) { $0.recordsAcknowledged == 6 }
        publisher.state.withLock { state in
            #expect(state.stored == [0, 2, 3, 4, 5, 1].map { lines[$0] })
            #expect(
                state.producers == [
                    "0000000000000007:0+6", "0000000000000007:1+1;0000000000000007:4+2", "0000000000000007:1+1",
                ]
            )
        }
    }

    @Test("an endpoint that refuses for long is asked again, nothing more is read meanwhile, and nothing is lost")
    func outage() async throws {
        let refusal = PublishError(code: "ResourceNotFoundException", message: "Stream s not found")
        let publisher = ScriptedPublisher(.aws, Array(repeating: .error(refusal), count: 20))
        var flow = testFlow()
        flow.maxBufferRecords = 5
        let values = try await ship(lines, publisher, flow: flow) { values in
            if values.trouble != nil { #expect(values.recordsRead <= 15, "two batches and a piece of the next chunk") }
            return values.recordsAcknowledged == 100
        }
        publisher.state.withLock { #expect($0.stored == lines) }
        #expect(values.trouble == nil)
        #expect(values.lastError?.contains("ResourceNotFoundException") == true)
    }

    @Test("towards AWS no producer header is sent")
    func aws() async throws {
        let publisher = ScriptedPublisher(.aws)
        try await ship(lines, publisher) { $0.recordsAcknowledged == 100 }
        publisher.state.withLock { state in
            #expect(state.producers.allSatisfy { $0 == nil })
            #expect(state.stored == lines)
        }
    }

    @Test("a request whose answer is lost is repeated with the same numbers, so that the collector can drop it")
    func lostAnswer() async throws {
        let publisher = ScriptedPublisher(.millrace(maxRecords: 1000), [.lost])
        try await ship(lines, publisher) { $0.recordsAcknowledged == 100 }
        publisher.state.withLock { state in
            #expect(state.producers[0] == state.producers[1])
            #expect(Set(state.stored) == Set(lines))
        }
    }

    @Test("a server that takes less than it said gets less")
    func smallerServer() async throws {
        let refusal = PublishError(code: "ValidationException", message: "too many")
        let publisher = ScriptedPublisher(.millrace(maxRecords: 10_000), [.error(refusal)])
        let many = (0..<3000).map { "\($0)\n" }
        try await ship(many, publisher, flow: testFlow(age: .seconds(1))) { $0.recordsAcknowledged == 3000 }
        publisher.state.withLock { state in
            #expect(state.stored == many)
            #expect(state.producers[1] == "0000000000000007:0+1500")
        }
    }

    @Test("nothing is sent before its source is saved")
    func savedFirst() async throws {
        let (publisher, store) = (ScriptedPublisher(.aws), MemoryCheckpoints())
        store.refuses.withLock { $0 = true }
        let stopped = try await ship(lines, publisher, store) { $0.trouble != nil }
        publisher.state.withLock { #expect($0.requests == 0) }
        #expect(stopped.lastError?.contains("the disk is full") == true)
        store.refuses.withLock { $0 = false }
        try await ship(lines, publisher, store) { $0.recordsAcknowledged == 100 }
        publisher.state.withLock { #expect($0.stored == lines) }
    }

    @Test("a restart from the saved checkpoint sends again exactly what was not acknowledged")
    func restart() async throws {
        let down = PublishError(code: "Unreachable", message: "down")
        let publisher = ScriptedPublisher(
            .millrace(maxRecords: 1000),
            [.failing([]), .failing([])] + Array(repeating: .error(down), count: 1000)
        )
        let store = MemoryCheckpoints()
        var flow = testFlow()
        flow.maxBufferRecords = 10
        try await ship(lines, publisher, store, flow: flow) { $0.trouble != nil }
        #expect(store.sequence == 20)
        let second = ScriptedPublisher(.millrace(maxRecords: 1000))
        try await ship(lines, from: 20, second, store, flow: flow) { $0.recordsAcknowledged == 80 }
        second.state.withLock { #expect($0.stored == Array(lines[20...])) }
        #expect(store.sequence == 100)
    }
}
