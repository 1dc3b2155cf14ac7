import NIOCore
import Synchronization

/// Counts the requests that are being answered and knows the feeds and connections there are, so that a stop can end them
/// in order: feeds at their next chunk, requests when they are answered, connections after that.
final class Traffic: Sendable {
    private struct State {
        var running = 0
        var isStopping = false
        var nextFeed: UInt64 = 0
        var feeds: [UInt64: @Sendable () -> Void] = [:]
        var connections: [ObjectIdentifier: any Channel] = [:]
        var waiters: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    var isStopping: Bool { state.withLock { $0.isStopping } }

    func began() { state.withLock { $0.running += 1 } }

    func ended() {
        let waiters = state.withLock { state -> [@Sendable () -> Void] in
            state.running -= 1
            guard state.running == 0, state.isStopping else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter() }
    }

    // MARK: - Feeds

    /// Registers a feed; nil when the server stops already. `stop` may be called on any thread.
    func feedBegan(stop: @escaping @Sendable () -> Void) -> UInt64? {
        state.withLock { state in
            guard !state.isStopping else { return nil }
            state.nextFeed += 1
            state.feeds[state.nextFeed] = stop
            return state.nextFeed
        }
    }

    func feedEnded(_ feed: UInt64) { state.withLock { _ = $0.feeds.removeValue(forKey: feed) } }

    // MARK: - Connections

    func opened(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        state.withLock { $0.connections[id] = channel }
        channel.closeFuture.whenComplete { [self] _ in state.withLock { _ = $0.connections.removeValue(forKey: id) } }
    }

    // MARK: - The stop

    /// Ends feeds, tells connections to take no more requests, and returns when nothing is being answered any more, or
    /// after `patience`.
    func stop(on loop: any EventLoop, patience: TimeAmount) async {
        let (feeds, connections) = state.withLock { state in
            state.isStopping = true
            return (Array(state.feeds.values), Array(state.connections.values))
        }
        for stop in feeds { stop() }
        // Idle HTTP/1.1 connections close, HTTP/2 ones say GOAWAY.
        for connection in connections { connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        let quiet = loop.makePromise(of: Void.self)
        let timeout = loop.scheduleTask(in: patience) { quiet.succeed() }
        let isQuiet = state.withLock { state in
            if state.running == 0 { return true }
            state.waiters.append { quiet.succeed() }
            return false
        }
        if isQuiet { quiet.succeed() }
        try? await quiet.futureResult.get()
        timeout.cancel()
    }

    /// Returns when every connection is closed, or after `patience`.
    func closed(on loop: any EventLoop, patience: TimeAmount) async {
        let connections = state.withLock { Array($0.connections.values) }
        let all = EventLoopFuture.andAllComplete(connections.map(\.closeFuture), on: loop)
        let closed = loop.makePromise(of: Void.self)
        all.cascade(to: closed)
        let timeout = loop.scheduleTask(in: patience) { closed.succeed() }
        try? await closed.futureResult.get()
        timeout.cancel()
    }
}
