import NIOCore
import NIOHTTP2

/// Ends an HTTP/2 connection for good, where its peer does not do its part. Requests that came whole are answered first.
///
/// - A peer that sends no more: no request would come and no window would open.
/// - A peer that was told GOAWAY and neither confirms nor closes.
final class HTTP2Ending: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// Tells the handler of the streams there are, and another delegate too.
    struct Streams: NIOHTTP2StreamDelegate {
        private let handler: NIOLoopBound<HTTP2Ending>
        private let other: any NIOHTTP2StreamDelegate

        init(_ handler: HTTP2Ending, and other: any NIOHTTP2StreamDelegate, _ loop: any EventLoop) {
            self.handler = NIOLoopBound(handler, eventLoop: loop)
            self.other = other
        }

        func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
            handler.value.streams[id] = channel
            other.streamCreated(id, channel: channel)
        }

        func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
            handler.value.streams[id] = nil
            handler.value.closeWhenDone()
            other.streamClosed(id, channel: channel)
        }
    }

    private let patience: TimeAmount
    private var streams: [HTTP2StreamID: any Channel] = [:]
    private var isOver = false
    private var deadline: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    /// - Parameter patience: how long a peer may take to close after GOAWAY.
    init(patience: TimeAmount) { self.patience = patience }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        self.context = nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .goAway = unwrapOutboundIn(data).payload, deadline == nil {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            deadline = context.eventLoop.scheduleTask(in: patience) { bound.value.over() }
        }
        context.write(data, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            for stream in streams.values {
                stream.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            }
            over()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The frame handler has said GOAWAY where that helps.
        if !ConnectionPipeline.isHalfClose(error), !(error is NIOHTTP2Errors.StreamError) {
            context.close(promise: nil)
        }
    }

    private func over() {
        isOver = true
        closeWhenDone()
    }

    private func closeWhenDone() {
        guard isOver, streams.isEmpty, let context else { return }
        // The last answer is written but not yet flushed.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.close(promise: nil) }
    }
}
