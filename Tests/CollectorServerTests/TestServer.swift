import Collector
import Logging
import NIOCore
import Synchronization
import Testing

@testable import CollectorServer

/// A server on a free port for as long as `body` runs; what it takes to stop is returned.
@discardableResult
func withServer(
    _ configuration: HTTPServer.Configuration = HTTPServer.Configuration(port: 0),
    respond: @escaping @Sendable (HTTPExchange) async -> HTTPAnswer,
    _ body: @escaping @Sendable (Int) async throws -> Void
) async throws -> Duration {
    let server = HTTPServer(configuration: configuration, logger: Logger(label: "test"), respond: respond)
    let (ports, ready) = AsyncStream.makeStream(of: Int.self)
    let run = Task {
        defer { ready.finish() }
        try await server.run { url in ready.yield(Int(url.split(separator: ":").last ?? "") ?? 0) }
    }
    var result: Result<Void, any Error> = .success(())
    for await port in ports {
        do { try await body(port) } catch { result = .failure(error) }
        break
    }
    let clock = ContinuousClock()
    let start = clock.now
    run.cancel()
    try await run.value
    try result.get()
    return start.duration(to: clock.now)
}

/// Waits for `check`, at most ten seconds.
func eventually(
    _ what: Comment,
    _ location: SourceLocation = #_sourceLocation,
    _ check: @Sendable () async -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while !(await check()) {
        guard ContinuousClock.now < end else {
            Issue.record(what, sourceLocation: location)
            throw CancellationError()
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// A feed that a test fills by hand, and that tells what became of it.
final class TestFeed: Sendable {
    private struct State {
        var chunks: [[UInt8]?] = []
        var waiter: CheckedContinuation<[UInt8]?, Never>?
        var asked = 0
        var ends = 0
    }

    private let state = Mutex(State())

    /// Chunks that were asked for.
    var asked: Int { state.withLock { $0.asked } }
    /// How often it was ended.
    var ends: Int { state.withLock { $0.ends } }

    var feed: EventFeed {
        EventFeed(next: { [self] in await next() }, end: { [self] in end() })
    }

    /// The same with a heartbeat.
    func beating(every interval: Duration, _ piece: @escaping @Sendable () -> [UInt8]?) -> EventFeed {
        var feed = feed
        feed.heartbeat = EventFeed.Heartbeat(every: interval, piece: piece)
        return feed
    }

    /// Nil is the end.
    func put(_ chunk: [UInt8]?) {
        let waiter = state.withLock { state in
            guard let waiter = state.waiter else {
                state.chunks.append(chunk)
                return nil as CheckedContinuation<[UInt8]?, Never>?
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: chunk)
    }

    func put(_ text: String) { put(Array(text.utf8)) }

    private func next() async -> [UInt8]? {
        await withCheckedContinuation { continuation in
            let chunk = state.withLock { state -> [UInt8]?? in
                state.asked += 1
                if state.ends > 0 { return .some(nil) }
                if !state.chunks.isEmpty { return .some(state.chunks.removeFirst()) }
                state.waiter = continuation
                return nil
            }
            if let chunk { continuation.resume(returning: chunk) }
        }
    }

    private func end() {
        let waiter = state.withLock { state in
            state.ends += 1
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }
}

extension HTTPAnswer {
    static func feed(_ feed: EventFeed) -> HTTPAnswer {
        HTTPAnswer(status: 200, contentType: "application/vnd.amazon.eventstream", body: .feed(feed))
    }
}
