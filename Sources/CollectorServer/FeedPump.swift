import Collector
import NIOCore

/// Carries one feed to its client: asks for a chunk, writes it, and asks for the next when that one is on its way and the
/// channel takes more. While it waits for one it writes the feed's heartbeats. Runs on the channel's event loop; only the feed
/// itself is waited for elsewhere.
///
///     asking --chunk--> writing --written--> (full) --writable--> asking --nil--> over
///       \________________\____________________\__ gone, stopped ________________/
final class FeedPump {
    private enum State {
        /// For a chunk.
        case asking
        /// Until the last chunk is written.
        case writing
        /// Until the channel takes more.
        case full
        case over
    }

    /// What the pump needs of its channel.
    struct Outlet {
        var loop: any EventLoop
        var isWritable: () -> Bool
        var write: ([UInt8]) -> EventLoopFuture<Void>
        /// Called once unless the client is gone: the body has its end.
        var finish: () -> Void
        /// The client takes nothing for too long.
        var giveUp: () -> Void
    }

    private let feed: EventFeed
    private let patience: TimeAmount
    private let outlet: Outlet
    private var state = State.asking
    private var isStopping = false
    private var task: Task<Void, Never>?
    /// Chunks and heartbeats that are not with the kernel yet.
    private var unwritten = 0
    private var deadline: Scheduled<Void>?
    private var lastWrite = NIODeadline.now()
    private var heartbeat: Scheduled<Void>?

    /// - Parameter patience: how long one chunk may wait for its client.
    init(_ feed: EventFeed, patience: TimeAmount, outlet: Outlet) {
        self.feed = feed
        self.patience = patience
        self.outlet = outlet
    }

    func start() {
        ask()
        beatLater()
    }

    /// The client is not there any more.
    func gone() {
        guard state != .over else { return }
        over()
    }

    /// Ends between two chunks, as soon as the one under way is written.
    func stop() {
        isStopping = true
        if state == .asking || state == .full { finish() }
    }

    func writabilityChanged() {
        if state == .full, outlet.isWritable() { ask() }
    }

    private func ask() {
        state = .asking
        let (feed, loop, bound) = (feed, outlet.loop, NIOLoopBound(self, eventLoop: outlet.loop))
        task = Task {
            let chunk = await feed.next()
            loop.execute { bound.value.received(chunk) }
        }
    }

    private func received(_ chunk: [UInt8]?) {
        guard state == .asking else { return }
        guard let chunk else { return finish() }
        // On HTTP/1.1 an empty chunk would be the end.
        guard !chunk.isEmpty else { return ask() }
        state = .writing
        write(chunk)
    }

    private func write(_ bytes: [UInt8]) {
        let bound = NIOLoopBound(self, eventLoop: outlet.loop)
        lastWrite = .now()
        unwritten += 1
        outlet.write(bytes).assumeIsolated().whenComplete { bound.value.written($0) }
        // Most chunks are with the kernel by now.
        if unwritten > 0, deadline == nil { waitForClient() }
    }

    private func waitForClient() {
        let bound = NIOLoopBound(self, eventLoop: outlet.loop)
        deadline = outlet.loop.scheduleTask(in: patience) {
            let pump = bound.value
            if pump.unwritten > 0, pump.state != .over { pump.outlet.giveUp() }
        }
    }

    private func written(_ result: Result<Void, any Error>) {
        deadline?.cancel()
        deadline = nil
        unwritten -= 1
        guard state != .over else { return }
        guard case .success = result else {
            over()
            return outlet.giveUp()
        }
        // What is behind a heartbeat has its own time.
        if unwritten > 0 { return waitForClient() }
        guard state == .writing else { return }
        if isStopping { return finish() }
        if outlet.isWritable() { ask() } else { state = .full }
    }

    private func finish() {
        over()
        outlet.finish()
    }

    private func over() {
        state = .over
        deadline?.cancel()
        heartbeat?.cancel()
        feed.end()
        task?.cancel()
        task = nil
    }

    // MARK: - Heartbeats

    /// Feeds of a loop beat together, a tenth of the interval late at most: what costs is to wake up, not to write.
    private func beatLater() {
        guard let interval = feed.heartbeat.map({ Int64($0.interval / .nanoseconds(1)) }), interval > 0 else { return }
        let grain = UInt64(max(1, interval / 10))
        let due = max(lastWrite + .nanoseconds(interval), .now() + .nanoseconds(1)).uptimeNanoseconds
        let bound = NIOLoopBound(self, eventLoop: outlet.loop)
        heartbeat = outlet.loop.scheduleTask(deadline: .uptimeNanoseconds((due + grain - 1) / grain * grain)) {
            bound.value.beat(after: .nanoseconds(interval))
        }
    }

    private func beat(after interval: TimeAmount) {
        guard state != .over else { return }
        // One at most waits for a client that takes nothing, however full the channel: that is what its patience is for.
        let isSilent = state == .asking && unwritten == 0 && .now() >= lastWrite + interval
        if isSilent, let piece = feed.heartbeat?.piece(), !piece.isEmpty { write(piece) }
        if state != .over { beatLater() }
    }
}
