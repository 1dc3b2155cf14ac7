import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The listening socket: HTTP/1.1, with TLS where a certificate is given.
public struct HTTPServer: Sendable {
    /// Where and how to listen.
    public struct Configuration: Sendable {
        /// A name or an address; default loopback.
        public var host: String
        /// 0 picks a free one.
        public var port: Int
        /// Paths of PEM files; both or neither.
        public var tls: (certificate: String, key: String)?

        /// Listens on loopback by default.
        public init(host: String = "127.0.0.1", port: Int = 4567, tls: (certificate: String, key: String)? = nil) {
            self.host = host
            self.port = port
            self.tls = tls
        }
    }

    let configuration: Configuration
    let service: APIService
    let logger: Logger

    /// A server that is not listening yet.
    public init(configuration: Configuration, service: APIService, logger: Logger) {
        self.configuration = configuration
        self.service = service
        self.logger = logger
    }

    /// Serves until cancelled, then lets running requests finish. `ready` is called once with the URL.
    public func run(ready: @escaping @Sendable (String) async -> Void) async throws {
        let tls = try configuration.tls.map { paths in
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(paths.certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: paths.key, format: .pem))
            )
            tls.applicationProtocols = ["http/1.1"]
            tls.minimumTLSVersion = .tlsv12
            return try NIOSSLContext(configuration: tls)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(2, System.coreCount))
        let traffic = Traffic()
        let service = service
        let channel: any Channel
        do {
            channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65_536, maximum: 1 << 20)
                )
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                        try pipeline.addHandler(IdleStateHandler(allTimeout: .minutes(5)))
                        try pipeline.configureHTTPServerPipeline(
                            withPipeliningAssistance: true,
                            withErrorHandling: true
                        )
                        try pipeline.addHandler(
                            RequestHandler(traffic: traffic, isSecure: tls != nil) { await service.respond(to: $0) }
                        )
                    }
                }
                .bind(host: configuration.host, port: configuration.port).get()
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
        await traffic.stop()
        try await group.shutdownGracefully()
    }
}

/// The port can't be had.
public struct ListenError: Error, CustomStringConvertible {
    var host: String
    var port: Int
    var cause: String

    public var description: String {
        "can't listen on \(host):\(port): \(cause). Is another program using the port? --listen HOST:PORT chooses another; port 0 picks a free one."
    }
}
