import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import Synchronization

/// A client that sends bytes as they are and keeps what comes back.
final class TestClient: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    let channel: any Channel

    private init(_ channel: any Channel) { self.channel = channel }

    static func connect(_ port: Int) async throws -> TestClient {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
        let client = TestClient(channel)
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(Collecting(client))
        }.get()
        return client
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

    /// As `shutdown(SHUT_WR)`.
    func halfClose() async throws { try await channel.close(mode: .output).get() }

    func close() async throws { try await channel.close().get() }

    var text: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
    var count: Int { state.withLock { $0.bytes.count } }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    private final class Collecting: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let client: TestClient

        init(_ client: TestClient) { self.client = client }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            client.state.withLock { $0.bytes.append(contentsOf: buffer.readableBytesView) }
        }

        func channelInactive(context: ChannelHandlerContext) { client.state.withLock { $0.isClosed = true } }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// An HTTP/2 client: a connection, and streams that each carry one request.
final class TestConnection: Sendable {
    /// One request and what comes back.
    final class Stream: Sendable {
        private struct State {
            var head: HTTPResponseHead?
            var body: [UInt8] = []
            var isEnded = false
            var isClosed = false
        }

        private let state = Mutex(State())
        let channel: any Channel

        fileprivate init(_ channel: any Channel) { self.channel = channel }

        var head: HTTPResponseHead? { state.withLock { $0.head } }
        var body: String { state.withLock { String(decoding: $0.body, as: UTF8.self) } }
        var isEnded: Bool { state.withLock { $0.isEnded } }
        var isClosed: Bool { state.withLock { $0.isClosed } }

        /// Sends the head, with no body and the end when there is none to come.
        func begin(_ method: HTTPMethod, headers: HTTPHeaders = [:], isWhole: Bool = true) async throws {
            var headers = headers
            headers.add(name: "host", value: "localhost")
            let head = HTTPRequestHead(version: .http2, method: method, uri: "/", headers: headers)
            try await channel.writeAndFlush(HTTPClientRequestPart.head(head)).get()
            if isWhole { try await channel.writeAndFlush(HTTPClientRequestPart.end(nil)).get() }
        }

        func send(_ bytes: [UInt8]) -> EventLoopFuture<Void> {
            channel.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: bytes))))
        }

        func end() async throws { try await channel.writeAndFlush(HTTPClientRequestPart.end(nil)).get() }

        /// As RST_STREAM.
        func reset() async {
            // The close is told as the error that it is to the stream.
            try? await channel.close().get()
        }

        fileprivate final class Reading: ChannelInboundHandler {
            typealias InboundIn = HTTPClientResponsePart
            private let stream: Stream

            init(_ stream: Stream) { self.stream = stream }

            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                let part = unwrapInboundIn(data)
                stream.state.withLock { state in
                    switch part {
                    case .head(let head): state.head = head
                    case .body(let buffer): state.body.append(contentsOf: buffer.readableBytesView)
                    case .end: state.isEnded = true
                    }
                }
            }

            func channelInactive(context: ChannelHandlerContext) { stream.state.withLock { $0.isClosed = true } }

            func errorCaught(context: ChannelHandlerContext, error: any Error) {}
        }
    }

    let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer

    private init(_ channel: any Channel, _ multiplexer: NIOHTTP2Handler.StreamMultiplexer) {
        self.channel = channel
        self.multiplexer = multiplexer
    }

    static func connect(_ port: Int) async throws -> TestConnection {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
        let multiplexer = try await channel.configureHTTP2Pipeline(
            mode: .client,
            connectionConfiguration: .init(),
            streamConfiguration: .init()
        ) { $0.close() }.get()
        return TestConnection(channel, multiplexer)
    }

    func open() async throws -> Stream {
        let channel = try await multiplexer.createStreamChannel { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTP1ClientCodec(httpProtocol: .http))
            }
        }.get()
        let stream = Stream(channel)
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(Stream.Reading(stream))
        }.get()
        return stream
    }

    func close() async throws { try await channel.close().get() }
}
