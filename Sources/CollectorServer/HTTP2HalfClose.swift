import NIOCore
import NIOHTTP2

/// Ends an HTTP/2 connection whose peer sends no more: no request would come and no window would open. Requests that came
/// whole are answered first.
final class HTTP2HalfClose: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    /// Tells the handler of the streams there are, and another delegate too.
    struct Streams: NIOHTTP2StreamDelegate {
        private let handler: NIOLoopBound<HTTP2HalfClose>
        private let other: any NIOHTTP2StreamDelegate

        init(_ handler: HTTP2HalfClose, and other: any NIOHTTP2StreamDelegate, _ loop: any EventLoop) {
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

    private var streams: [HTTP2StreamID: any Channel] = [:]
    private var isInputClosed = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            isInputClosed = true
            for stream in streams.values {
                stream.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            }
            closeWhenDone()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The frame handler has said GOAWAY where that helps.
        if !ConnectionPipeline.isHalfClose(error), !(error is NIOHTTP2Errors.StreamError) {
            context.close(promise: nil)
        }
    }

    private func closeWhenDone() {
        guard isInputClosed, streams.isEmpty, let context else { return }
        // The last answer is written but not yet flushed.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.execute { bound.value.close(promise: nil) }
    }
}
