import Collector
import NIOCore
import NIOHTTP1

/// Takes the requests of one HTTP/1.1 connection, one at a time, or the one request of an HTTP/2 stream, and writes the
/// answers.
///
///     idle --head--> arriving --end--> answering --bytes--> idle
///                        |                  \-----feed----> feeding --> idle
///                        '-- no room for its body: reads pause, at most for `patience`
final class RequestHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What the handlers of all connections share.
    struct Shared: Sendable {
        var traffic: Traffic
        var budget: BodyBudget
        var times: HTTPServer.Configuration.Times
        var isSecure: Bool
        var respond: @Sendable (HTTPExchange) async -> HTTPAnswer
    }

    private enum State {
        case idle
        case arriving(HTTPRequestHead, BodyCollector)
        /// The request that is being answered was refused before its end; what comes of it is thrown away.
        case answering(HTTPRequestHead)
        case feeding(HTTPRequestHead, FeedPump, registration: UInt64)
    }

    let shared: Shared
    /// On HTTP/2 the stream ends with its answer, and the connection is not the handler's to close.
    let isStream: Bool
    /// The client's address, as text; read at the first request.
    private var peer: String?
    private var state = State.idle
    private var context: ChannelHandlerContext?
    /// Ends the connection when a request takes too long to arrive, or an answer to be taken.
    private var deadline: Scheduled<Void>?
    /// Whether the end of the request that is being answered has come.
    private var isWhole = true
    /// The client sends no more.
    private var isInputClosed = false
    private var isPaused = false
    /// A read that was held back while paused.
    private var wantsRead = false
    private var roomDeadline: Scheduled<Void>?
    private var heads = 0

    init(_ shared: Shared, isStream: Bool) {
        self.shared = shared
        self.isStream = isStream
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Requests that have begun so far, nil while one is under way.
    var headsWhileIdle: Int? {
        if case .idle = state { heads } else { nil }
    }

    // MARK: - Arrival

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let buffer): take(buffer, context)
        case .end:
            isWhole = true
            guard case .arriving(let head, let body) = state else { return }
            deadline?.cancel()
            finish(head, body, context)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        let body = BodyCollector(announced: length)
        isWhole = false
        heads += 1
        if peer == nil { peer = context.channel.remoteAddress?.ipAddress }
        state = .arriving(head, body)
        closeLater(in: shared.times.arrival, context)
        guard head.headers.first(name: "expect")?.lowercased() == "100-continue" else { return }
        if body.refusal != nil {
            // Whoever waits for consent sends no body before the answer.
            refuse(head, .tooLarge, context)
        } else {
            let interim = HTTPResponseHead(version: head.version, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
        }
    }

    private func take(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        guard case .arriving(let head, var body) = state else { return }
        // The bytes have one owner, or each piece would copy all those before it.
        state = .idle
        let (loop, bound) = (context.eventLoop, NIOLoopBound(self, eventLoop: context.eventLoop))
        let outcome = body.append(buffer.readableBytesView, shared.budget) {
            loop.execute { bound.value.resume() }
        }
        state = .arriving(head, body)
        if outcome == .waits { pause(context) }
    }

    private func finish(_ head: HTTPRequestHead, _ body: BodyCollector, _ context: ChannelHandlerContext) {
        if let refusal = body.refusal { return refuse(head, refusal, context) }
        stopWaiting(body)
        let exchange = HTTPExchange(
            method: head.method.rawValue,
            target: head.uri,
            headers: head.headers.map { ($0.name, $0.value) },
            body: body.bytes,
            peer: peer,
            isSecure: shared.isSecure,
            hold: body.hold
        )
        state = .answering(head)
        shared.traffic.began()
        let (loop, bound) = (context.eventLoop, NIOLoopBound(self, eventLoop: context.eventLoop))
        let respond = shared.respond
        Task(executorPreference: exchange.isShortPut ? LoopExecutor(loop: loop) : nil) {
            let answer = await respond(exchange)
            loop.execute { bound.value.answer(answer) }
        }
    }

    private func refuse(_ head: HTTPRequestHead, _ refusal: BodyCollector.Refusal, _ context: ChannelHandlerContext) {
        shared.traffic.began()
        state = .answering(head)
        switch refusal {
        case .tooLarge: answer(.text(413, "The request body is larger than \(BodyCollector.limit) bytes.\n"))
        case .noRoom:
            answer(.text(503, "Too many request bodies are arriving at once; send this one again a little later.\n"))
        }
    }

    // MARK: - Room for bodies

    func read(context: ChannelHandlerContext) {
        if isPaused { wantsRead = true } else { context.read() }
    }

    private func pause(_ context: ChannelHandlerContext) {
        guard !isPaused else { return }
        isPaused = true
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        roomDeadline = context.eventLoop.scheduleTask(in: shared.times.room) { bound.value.giveUpRoom() }
    }

    private func resume() {
        guard isPaused else { return }
        isPaused = false
        roomDeadline?.cancel()
        if wantsRead {
            wantsRead = false
            context?.read()
        }
    }

    /// It waited long enough: the rest is thrown away as it comes, and the answer says so.
    private func giveUpRoom() {
        guard isPaused, case .arriving(let head, var body) = state, body.hold?.stopWaiting() ?? false else { return }
        state = .idle
        body.refuse(.noRoom)
        state = .arriving(head, body)
        resume()
    }

    private func stopWaiting(_ body: BodyCollector) {
        if isPaused { _ = body.hold?.stopWaiting() }
        resume()
    }

    // MARK: - The answer

    private func answer(_ answer: HTTPAnswer) {
        guard case .answering(let head) = state, let context, context.channel.isActive else {
            // Nobody is there to read it.
            if case .feed(let feed) = answer.body { feed.end() }
            shared.traffic.ended()
            state = .idle
            return
        }
        let isLast = !keepsConnection(head)
        let responseHead = AnswerHead.make(answer, to: head, closes: isLast && !isStream)
        context.write(wrapOutboundOut(.head(responseHead)), promise: nil)
        switch answer.body {
        case .bytes(let bytes):
            if !bytes.isEmpty, head.method != .HEAD {
                let buffer = context.channel.allocator.buffer(bytes: bytes)
                context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
            }
            end(head, context, isLast: isLast)
        case .feed(let feed):
            context.flush()
            pump(feed, head, context)
        }
    }

    private func keepsConnection(_ head: HTTPRequestHead) -> Bool {
        (isStream || head.isKeepAlive) && !shared.traffic.isStopping && !isInputClosed && isWhole
    }

    /// The last part of an answer, and of the connection where it is the last answer.
    private func end(_ head: HTTPRequestHead, _ context: ChannelHandlerContext, isLast: Bool) {
        state = .idle
        let done = context.eventLoop.makePromise(of: Void.self)
        var isDone = false
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let closes = isStream ? !isWhole : isLast
        done.futureResult.assumeIsolated().whenComplete { _ in
            isDone = true
            let handler = bound.value
            if case .idle = handler.state { handler.deadline?.cancel() }
            if closes { handler.context?.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
        if !isDone, case .idle = state { closeLater(in: shared.times.idle, context) }
        shared.traffic.ended()
    }

    // MARK: - Feeds

    private func pump(_ feed: EventFeed, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let (loop, bound) = (context.eventLoop, NIOLoopBound(self, eventLoop: context.eventLoop))
        let pump = FeedPump(
            feed,
            patience: shared.times.idle,
            outlet: FeedPump.Outlet(
                loop: loop,
                isWritable: { context.channel.isWritable },
                write: { bytes in
                    let buffer = context.channel.allocator.buffer(bytes: bytes)
                    let written = loop.makePromise(of: Void.self)
                    context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(buffer))), promise: written)
                    return written.futureResult
                },
                finish: { [weak self] in self?.feedFinished(head, context) },
                giveUp: { context.close(promise: nil) }
            )
        )
        let registration = shared.traffic.feedBegan { loop.execute { bound.value.stopFeed() } }
        state = .feeding(head, pump, registration: registration ?? 0)
        pump.start()
        // The server stops: the feed ends before it began. A client that half-closed may as well be gone.
        if registration == nil { pump.stop() } else if isInputClosed { context.close(promise: nil) }
    }

    private func stopFeed() {
        if case .feeding(_, let pump, _) = state { pump.stop() }
    }

    private func feedFinished(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard case .feeding(_, _, let registration) = state else { return }
        shared.traffic.feedEnded(registration)
        end(head, context, isLast: !keepsConnection(head))
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .feeding(_, let pump, _) = state { pump.writabilityChanged() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: - Ends

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        roomDeadline?.cancel()
        switch state {
        case .arriving(_, let body):
            _ = body.hold?.stopWaiting()
            body.hold?.release()
            state = .idle
        case .feeding(_, let pump, let registration):
            state = .idle
            shared.traffic.feedEnded(registration)
            pump.gone()
            shared.traffic.ended()
        case .idle, .answering: break
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Torn connections and TLS mistakes are the peer's business. One that ends TLS without a word has only half-closed.
        if !ConnectionPipeline.isHalfClose(error) { context.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            // Whoever asked a whole request gets the answer. A feed's reader that hangs up looks the same as one that
            // half-closes, and a feed must not outlive its reader.
            if case .answering = state { break }
            context.close(promise: nil)
        case is IdleStateHandler.IdleStateEvent:
            // A connection that says nothing for long is let go; one that waits for an answer is not idle.
            switch state {
            case .idle, .arriving: context.close(promise: nil)
            case .answering, .feeding: break
            }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func closeLater(in time: TimeAmount, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
    }
}
