import NIOCore
import NIOHTTP1

/// Collects one request at a time and writes its answer. The pipeline before it keeps further requests of the connection
/// back until then.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Bytes a body may have: AWS takes 10 MiB of data, which is 13.4 MiB of base64, and some JSON around it.
    static let bodyLimit = 16 * 1024 * 1024

    private let respond: @Sendable (HTTPExchange) async -> HTTPAnswer
    private let traffic: Traffic
    private let isSecure: Bool
    /// Of the whole connection.
    private var peer: String?
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var isTooLarge = false
    /// Whether a request of this connection is being answered.
    private var isAnswering = false
    /// Ends the connection when a request takes too long to arrive.
    private var deadline: Scheduled<Void>?

    /// How long a request may take from its head to its end.
    private static let arrivalLimit = TimeAmount.minutes(5)

    init(traffic: Traffic, isSecure: Bool, respond: @escaping @Sendable (HTTPExchange) async -> HTTPAnswer) {
        self.traffic = traffic
        self.isSecure = isSecure
        self.respond = respond
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let buffer):
            if body.count + buffer.readableBytes > Self.bodyLimit { isTooLarge = true }
            if isTooLarge {
                body = []
            } else {
                body.append(contentsOf: buffer.readableBytesView)
            }
        case .end:
            deadline?.cancel()
            guard let head else { return }
            self.head = nil
            finish(head, context)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        self.head = head
        if peer == nil { peer = context.channel.remoteAddress?.ipAddress }
        body = []
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: Self.arrivalLimit) { bound.value.close(promise: nil) }
        let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        isTooLarge = length > Self.bodyLimit
        let awaitsConsent = head.headers.first(name: "expect")?.lowercased() == "100-continue"
        if isTooLarge {
            // Whoever waits for consent sends no body before the answer.
            if awaitsConsent { refuse(head, context) }
            return
        }
        body.reserveCapacity(min(length, 1 << 20))
        if awaitsConsent {
            let interim = HTTPResponseHead(version: head.version, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
        }
    }

    private func refuse(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        self.head = nil
        deadline?.cancel()
        let answer = HTTPAnswer.text(413, "The request body is larger than \(Self.bodyLimit) bytes.\n")
        write(answer, head, isLast: true, context)
    }

    private func finish(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        if isTooLarge { return refuse(head, context) }
        let exchange = HTTPExchange(
            method: head.method.rawValue,
            target: head.uri,
            headers: head.headers.map { ($0.name, $0.value) },
            body: body,
            peer: peer,
            isSecure: isSecure
        )
        body = []
        isAnswering = true
        traffic.began()
        let respond = respond
        let (loop, loopBound) = (context.eventLoop, NIOLoopBound((self, context), eventLoop: context.eventLoop))
        let traffic = traffic
        Task {
            let answer = await respond(exchange)
            loop.execute {
                let (handler, context) = loopBound.value
                handler.isAnswering = false
                handler.write(answer, head, isLast: !head.isKeepAlive || traffic.isStopping, context)
                traffic.ended()
            }
        }
    }

    private func write(_ answer: HTTPAnswer, _ head: HTTPRequestHead, isLast: Bool, _ context: ChannelHandlerContext) {
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: answer.contentType)
        headers.add(name: "date", value: HTTPDate.now())
        if let origin = head.headers.first(name: "origin"), !origin.isEmpty {
            headers.add(name: "access-control-allow-origin", value: "*")
            headers.add(
                name: "access-control-expose-headers",
                value: "x-amzn-RequestId,x-amzn-ErrorType,x-amz-id-2,Date"
            )
        }
        headers.add(name: "content-length", value: String(answer.body.count))
        for (name, value) in answer.headers { headers.add(name: name, value: value) }
        if isLast { headers.add(name: "connection", value: "close") }
        let status = HTTPResponseStatus(statusCode: answer.status)
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: status, headers: headers))),
            promise: nil
        )
        if !answer.body.isEmpty, head.method != .HEAD {
            let buffer = context.channel.allocator.buffer(bytes: answer.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        let done = context.eventLoop.makePromise(of: Void.self)
        if isLast {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            done.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Torn connections and TLS mistakes are the peer's business.
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A connection that says nothing for long is let go; one that waits for an answer is not idle.
        if event is IdleStateHandler.IdleStateEvent, !isAnswering { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
