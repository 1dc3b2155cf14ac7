import Logging
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL

/// The listening socket: HTTP/1.1 and HTTP/2 on one port, with TLS where a certificate is given.
public struct HTTPServer: Sendable {
    let configuration: Configuration
    let logger: Logger
    private let respond: @Sendable (HTTPExchange) async -> HTTPAnswer

    /// A server that is not listening yet.
    public init(configuration: Configuration, service: APIService, logger: Logger) {
        self.init(configuration: configuration, logger: logger) { await service.respond(to: $0) }
    }

    init(
        configuration: Configuration,
        logger: Logger,
        respond: @escaping @Sendable (HTTPExchange) async -> HTTPAnswer
    ) {
        self.configuration = configuration
        self.logger = logger
        self.respond = respond
    }

    /// Serves until cancelled, then ends feeds and lets running requests finish. `ready` is called once with the URL.
    public func run(ready: @escaping @Sendable (String) async -> Void) async throws {
        let tls = try configuration.tls.map(Self.context)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(2, System.coreCount))
        let shared = RequestHandler.Shared(
            traffic: Traffic(),
            budget: BodyBudget(total: configuration.bodyBudget, spare: BodyCollector.limit),
            times: configuration.times,
            isSecure: tls != nil,
            respond: respond
        )
        let channel: any Channel
        do {
            channel = try await bind(group, tls, shared)
        } catch {
            try await group.shutdownGracefully()
            throw ListenError(host: configuration.host, port: configuration.port, cause: "\(error)")
        }
        let port = channel.localAddress?.port ?? configuration.port
        let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
        await ready("\(tls == nil ? "http" : "https")://\(host):\(port)")
        await withTaskCancellationHandler {
            try? await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        await shared.traffic.stop(on: group.any(), patience: configuration.times.stop)
        await shared.traffic.closed(on: group.any(), patience: configuration.times.goodbye)
        try await group.shutdownGracefully()
    }

    private func bind(
        _ group: MultiThreadedEventLoopGroup,
        _ tls: NIOSSLContext?,
        _ shared: RequestHandler.Shared
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A client that says that it sends no more still gets its answer.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(
                .recvAllocator,
                // A connection keeps its buffers: thousands of idle ones must be small, and one that carries large
                // bodies soon has large buffers.
                value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 1 << 20)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try ConnectionPipeline.configure(channel, tls: tls, shared) }
            }
            .bind(host: configuration.host, port: configuration.port).get()
    }

    private static func context(_ paths: (certificate: String, key: String)) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(paths.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: paths.key, format: .pem))
        )
        tls.applicationProtocols = NIOHTTP2SupportedALPNProtocols
        tls.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: tls)
    }
}

/// The port can't be had.
public struct ListenError: Error, CustomStringConvertible {
    var host: String
    var port: Int
    var cause: String

    public var description: String {
        "can't listen on \(host):\(port): \(cause). Is another program using the port? --listen HOST:PORT chooses another; "
            + "port 0 picks a free one."
    }
}
