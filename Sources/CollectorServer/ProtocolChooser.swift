import NIOCore
import NIOTLS

/// Finds out what a new connection speaks and makes its pipeline: ALPN decides where TLS agreed on something, else the
/// first bytes do. HTTP/2 by prior knowledge begins with a preface that no HTTP/1.1 request has (RFC 9113, section 3.4).
///
///     P O S T ...                                     differs at its second byte: HTTP/1.1
///     P R I   *   H T T P / 2 . 0 \r\n\r\n S M \r\n\r\n    HTTP/2
final class ProtocolChooser: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// What may be spoken.
    enum Choice: Equatable {
        case http1, http2
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// How long a connection may say nothing at all.
    private let patience: TimeAmount
    private let configure: (Choice, ChannelPipeline.SynchronousOperations) throws -> Void
    private var seen: ByteBuffer?
    private var isChosen = false
    private var deadline: Scheduled<Void>?

    /// `configure` adds the handlers of what was chosen behind this one, which then leaves.
    init(
        patience: TimeAmount,
        configure: @escaping (Choice, ChannelPipeline.SynchronousOperations) throws -> Void
    ) {
        self.patience = patience
        self.configure = configure
    }

    /// What bytes begin; nil while they may begin either.
    static func choice(_ bytes: some Sequence<UInt8>) -> Choice? {
        var count = 0
        for (byte, expected) in zip(bytes, preface) {
            guard byte == expected else { return .http1 }
            count += 1
        }
        return count == preface.count ? .http2 : nil
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: patience) { bound.value.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isChosen { return context.fireChannelRead(data) }
        var buffer = unwrapInboundIn(data)
        if seen == nil { seen = buffer } else { seen?.writeBuffer(&buffer) }
        if let choice = Self.choice(seen?.readableBytesView ?? ByteBufferView()) { choose(choice, context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let agreed):
            // A client that agreed on nothing may still speak either.
            if agreed == "h2" { choose(.http2, context) } else if agreed != nil { choose(.http1, context) }
        case ChannelEvent.inputClosed where !isChosen, is ChannelShouldQuiesceEvent where !isChosen:
            context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A handshake that fails is the peer's business.
        if isChosen { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    private func choose(_ choice: Choice, _ context: ChannelHandlerContext) {
        guard !isChosen else { return }
        isChosen = true
        deadline?.cancel()
        do {
            try configure(choice, context.pipeline.syncOperations)
        } catch {
            return context.close(promise: nil)
        }
        if let seen {
            self.seen = nil
            context.fireChannelRead(wrapInboundOut(seen))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
