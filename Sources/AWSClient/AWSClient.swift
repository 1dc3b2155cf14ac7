import AWSProtocol
import AsyncHTTPClient
import Glibc
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Signs and sends calls, and makes failed ones again.
public final class AWSClient: Sendable {
    /// Where calls go.
    public let configuration: AWSConfiguration
    private let retry: RetryPolicy
    private let http: HTTPClient
    private let signer = SigV4Signer()
    private let logger: Logger
    /// Milliseconds to add to the clock: the server's time as its refusals tell it.
    private let skew = Mutex<Int64>(0)

    /// Bytes an answer may have: 10 MiB of records in base64, and what is around them.
    static let answerLimit = 32 * 1024 * 1024

    /// A client with connections of its own; `shutdown` ends them.
    public init(configuration: AWSConfiguration, retry: RetryPolicy = .default, logger: Logger) throws(AWSClientError) {
        self.configuration = configuration
        self.retry = retry
        self.logger = logger
        var settings = HTTPClient.Configuration()
        settings.httpVersion = .http1Only
        settings.timeout.connect = .seconds(5)
        settings.connectionPool.idleTimeout = .seconds(30)
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        settings.redirectConfiguration = .disallow
        if let path = configuration.certificateAuthorities {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(path)
            settings.tlsConfiguration = tls
        }
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    /// Ends the connections. The client is of no use afterwards.
    public func shutdown() async {
        do {
            try await http.shutdown()
        } catch {
            logger.debug("the HTTP client was shut down before", metadata: ["error": "\(error)"])
        }
    }

    /// Makes one call.
    ///
    /// - Parameters:
    ///   - body: JSON.
    ///   - headers: beside those every call has; not signed.
    ///   - retry: in place of the client's own policy.
    /// - Throws: `service` with AWS's code and message, or what kept the call from being answered.
    public func call(
        _ service: AWSService,
        _ operation: String,
        body: [UInt8],
        headers: [(String, String)] = [],
        retry: RetryPolicy? = nil
    ) async throws(AWSClientError) -> AWSResponse {
        let policy = retry ?? self.retry
        let endpoint = try configuration.endpoint(service)
        var attempt = 1
        var hasCorrectedClock = false
        while true {
            do throws(AWSClientError) {
                return try await send(service, operation, endpoint, body, headers)
            } catch {
                if !hasCorrectedClock, correctClock(error) {
                    hasCorrectedClock = true
                    continue
                }
                guard error.isRetryable, let delay = policy.delay(after: attempt, random: Double.random(in: 0..<1))
                else {
                    throw error
                }
                attempt += 1
                do {
                    try await Task.sleep(for: delay)
                } catch {
                    throw AWSClientError(.cancelled, "the call was cancelled")
                }
            }
        }
    }

    private func send(
        _ service: AWSService,
        _ operation: String,
        _ endpoint: Endpoint,
        _ body: [UInt8],
        _ headers: [(String, String)]
    ) async throws(AWSClientError) -> AWSResponse {
        let signed = [
            (name: "host", value: endpoint.host), (name: "content-type", value: service.contentType),
            (name: "x-amz-target", value: "\(service.target).\(operation)"),
        ]
        let credentials = try await configuration.credentials.credentials()
        let added = signer.sign(
            method: "POST",
            path: endpoint.path,
            headers: signed,
            body: body,
            region: configuration.region,
            service: service.name,
            credentials: credentials,
            now: now()
        )
        var request = HTTPClientRequest(url: endpoint.url)
        request.method = .POST
        for header in signed + added { request.headers.add(name: header.name, value: header.value) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await http.execute(
                request,
                timeout: .milliseconds(Int64(configuration.timeout / .milliseconds(1))),
                logger: logger
            )
            let buffer = try await response.body.collect(upTo: Self.answerLimit)
            var fields: [String: String] = [:]
            for header in response.headers { fields[header.name.lowercased()] = header.value }
            let bytes = Array(buffer.readableBytesView)
            let status = Int(response.status.code)
            if status == 200 { return AWSResponse(status: status, headers: fields, body: bytes) }
            throw Self.failure(status, fields, bytes, endpoint)
        } catch let error as AWSClientError {
            throw error
        } catch is CancellationError {
            throw AWSClientError(.cancelled, "the call was cancelled")
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
            throw AWSClientError(
                .timeout,
                "\(endpoint.url) did not answer \(operation) within \(configuration.timeout)"
            )
        } catch let error as HTTPClientError where error == .cancelled {
            throw AWSClientError(.cancelled, "the call was cancelled")
        } catch {
            throw AWSClientError(
                .connection,
                "\(endpoint.url) can't be reached: \(error). Is it running, and is the address right?"
            )
        }
    }

    /// Reads AWS's error envelope.
    private static func failure(
        _ status: Int,
        _ headers: [String: String],
        _ body: [UInt8],
        _ endpoint: Endpoint
    ) -> AWSClientError {
        let json = try? JSONValue(parsing: body)
        let type = headers["x-amzn-errortype"] ?? json?["__type"]?.string
        guard let type else {
            return AWSClientError(
                .badResponse,
                "\(endpoint.url) answers \(status) without an AWS error: is it a Kinesis endpoint?",
                headers: headers
            )
        }
        let name = type.prefix { $0 != ":" }
        let code = name.split(separator: "#").last.map(String.init) ?? String(name)
        let message = json?["message"]?.string ?? json?["Message"]?.string ?? ""
        let extra = (json?.members ?? []).filter { !["__type", "message", "Message"].contains($0.name) }
        return AWSClientError(
            .service(AWSError(code, message, status: status, extra: extra)),
            "\(code): \(message)",
            headers: headers
        )
    }

    /// Takes over the server's time when it refuses ours; true when that was new.
    private func correctClock(_ error: AWSClientError) -> Bool {
        guard let code = error.serviceCode, code == "InvalidSignatureException" || code == "RequestTimeTooSkewed",
            error.message.contains("Signature expired") || error.message.contains("not yet current")
                || code == "RequestTimeTooSkewed",
            let server = Self.serverTime(error.message)
        else { return false }
        let difference = server - Self.clock()
        skew.withLock { $0 = difference }
        logger.warning("this machine's clock differs from the server's", metadata: ["milliseconds": "\(difference)"])
        return true
    }

    /// The server's own time in `… (20180920T175004Z - 5 min.)`.
    private static func serverTime(_ message: String) -> Int64? {
        guard let open = message.lastIndex(of: "(") else { return nil }
        return SigV4Time.milliseconds(String(message[message.index(after: open)...].prefix(16)))
    }

    private func now() -> Int64 { Self.clock() + skew.withLock { $0 } }

    private static func clock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
