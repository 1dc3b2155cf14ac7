import NIOCore

extension HTTPServer {
    /// Where and how to listen.
    public struct Configuration: Sendable {
        /// A name or an address; default loopback.
        public var host: String
        /// 0 picks a free one.
        public var port: Int
        /// Paths of PEM files; both or neither.
        public var tls: (certificate: String, key: String)?
        /// Bytes of request bodies whose sender is not known yet, all together; default 256 MiB. Bodies beyond it wait.
        public var bodyBudget: Int
        /// How long things may take.
        var times = Times()

        /// Listens on loopback by default.
        public init(
            host: String = "127.0.0.1",
            port: Int = 4567,
            tls: (certificate: String, key: String)? = nil,
            bodyBudget: Int = 256 * 1024 * 1024
        ) {
            self.host = host
            self.port = port
            self.tls = tls
            self.bodyBudget = bodyBudget
        }

        /// How long things may take.
        struct Times: Sendable {
            /// A connection without a request, or an answer that nobody takes.
            var idle = TimeAmount.minutes(5)
            /// A request, from its head to its end.
            var arrival = TimeAmount.minutes(5)
            /// A body that waits for room in the budget.
            var room = TimeAmount.seconds(30)
            /// Requests that are being answered when the server stops.
            var stop = TimeAmount.seconds(30)
            /// After that, clients that are to close their connections.
            var goodbye = TimeAmount.seconds(1)
        }
    }
}
