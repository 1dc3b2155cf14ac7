import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOSSL

/// Makes the pipelines of connections: one port, two protocols, one request handler.
///
///     [TLS] -> chooser --HTTP/1.1--> idle time -> head's time -> codec -> one at a time -> requests
///                      \--HTTP/2---> frames -> its end -> GOAWAY and idle time
///                                      '-- each stream: codec -> requests
enum ConnectionPipeline {
    /// Makes the first part; the chooser adds the rest.
    static func configure(_ channel: any Channel, tls: NIOSSLContext?, _ shared: RequestHandler.Shared) throws {
        shared.traffic.opened(channel)
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        try pipeline.addHandler(
            ProtocolChooser(patience: shared.times.idle) { choice, pipeline in
                switch choice {
                case .http1: try http1(pipeline, shared)
                case .http2: try http2(pipeline, shared)
                }
            }
        )
    }

    private static func http1(
        _ pipeline: ChannelPipeline.SynchronousOperations,
        _ shared: RequestHandler.Shared
    ) throws {
        try pipeline.addHandler(IdleStateHandler(allTimeout: shared.times.idle))
        let requests = RequestHandler(shared, isStream: false)
        try pipeline.addHandler(HeadDeadline(patience: shared.times.arrival) { requests.headsWhileIdle })
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: true)
        try pipeline.addHandler(requests)
    }

    private static func http2(
        _ pipeline: ChannelPipeline.SynchronousOperations,
        _ shared: RequestHandler.Shared
    ) throws {
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: pipeline.eventLoop,
            configuration: .init(
                maxIdleTime: shared.times.idle,
                maxAge: nil,
                maxGraceTime: shared.times.stop,
                keepalive: nil
            )
        )
        let ending = HTTP2Ending(patience: shared.times.stop)
        let frames = NIOHTTP2Handler(
            mode: .server,
            eventLoop: pipeline.eventLoop,
            connectionConfiguration: HTTP2Limits.connection,
            streamConfiguration: HTTP2Limits.stream,
            streamDelegate: HTTP2Ending.Streams(ending, and: manager.http2StreamDelegate, pipeline.eventLoop)
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                let pipeline = stream.pipeline.syncOperations
                try pipeline.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                try pipeline.addHandler(RequestHandler(shared, isStream: true))
            }
        }
        try pipeline.addHandlers([frames, ending, manager])
        // They came after the connection was made, so its idle time has not begun.
        try pipeline.context(handler: frames).fireChannelActive()
    }

    /// Whether an error says only that the peer sends no more.
    static func isHalfClose(_ error: any Error) -> Bool {
        if case .uncleanShutdown = error as? NIOSSLError { true } else { false }
    }
}
