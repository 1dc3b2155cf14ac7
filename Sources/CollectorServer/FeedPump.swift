import Collector
import NIOCore

/// Carries one feed to its client: asks for a chunk, writes it, and asks for the next when that one is on its way and the
/// channel takes more. Runs on the channel's event loop; only the feed itself is waited for elsewhere.
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
    private var deadline: Scheduled<Void>?

    /// - Parameter patience: how long one chunk may wait for its client.
    init(_ feed: EventFeed, patience: TimeAmount, outlet: Outlet) {
        self.feed = feed
        self.patience = patience
        self.outlet = outlet
    }

    func start() { ask() }

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
        let bound = NIOLoopBound(self, eventLoop: outlet.loop)
        outlet.write(chunk).assumeIsolated().whenComplete { bound.value.written($0) }
        // Most chunks are with the kernel by now.
        if state == .writing {
            deadline = outlet.loop.scheduleTask(in: patience) {
                let pump = bound.value
                if pump.state == .writing { pump.outlet.giveUp() }
            }
        }
    }

    private func written(_ result: Result<Void, any Error>) {
        deadline?.cancel()
        deadline = nil
        guard state == .writing else { return }
        guard case .success = result else {
            over()
            return outlet.giveUp()
        }
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
        feed.end()
        task?.cancel()
        task = nil
    }
}
