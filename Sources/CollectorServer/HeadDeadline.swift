import NIOCore

/// Ends an HTTP/1.1 connection whose next request has begun, and whose head does not come to its end in time: a byte now and
/// then would keep it from ever being idle. It stands before the codec, where the bytes are.
///
/// Nearly all heads come in one piece, so nothing is scheduled before a piece has come that did not complete one.
final class HeadDeadline: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let patience: TimeAmount
    /// Heads that have come so far, nil while a request is under way.
    private let heads: () -> Int?
    private var hasRead = false
    private var check: Scheduled<Void>?

    init(patience: TimeAmount, heads: @escaping () -> Int?) {
        self.patience = patience
        self.heads = heads
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasRead = true
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        guard hasRead else { return }
        hasRead = false
        guard check == nil, let seen = heads() else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        check = context.eventLoop.scheduleTask(in: patience) {
            let (handler, context) = bound.value
            handler.check = nil
            if handler.heads() == seen { context.close(promise: nil) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { check?.cancel() }
}
