import NIOHTTP2

/// What a peer may do on one HTTP/2 connection.
enum HTTP2Limits {
    /// Streams open at once: a KCL worker has one for every shard it reads.
    static let streams = 4096
    /// What a peer may send on one stream before it was read: what a body that waits for room keeps beside the budget.
    static let streamWindow = 1 << 20
    /// And on all streams of a connection.
    static let connectionWindow = 16 << 20

    static let connection: NIOHTTP2Handler.ConnectionConfiguration = {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: streams),
            HTTP2Setting(parameter: .initialWindowSize, value: streamWindow),
            // Session tokens are long.
            HTTP2Setting(parameter: .maxHeaderListSize, value: 64 * 1024),
            HTTP2Setting(parameter: .maxFrameSize, value: 256 * 1024),
        ]
        configuration.targetWindowSize = connectionWindow
        // Clients ping to see whether the connection lives, some with every window they open.
        configuration.controlFrameRateLimit.maximumCount = 3000
        return configuration
    }()

    static let stream: NIOHTTP2Handler.StreamConfiguration = {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = streamWindow
        configuration.outboundBufferSizeHighWatermark = 256 * 1024
        configuration.outboundBufferSizeLowWatermark = 64 * 1024
        // A worker that stops drops all its feeds at once.
        configuration.streamResetFrameRateLimit.maximumCount = streams
        return configuration
    }()
}
