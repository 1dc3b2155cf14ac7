import AWSProtocol
import AuditTrail
import Collector
import Delivery
import LeaseTable
import Logging

/// Answers whole requests: tells the APIs apart by `X-Amz-Target`, and checks in AWS's order:
///
///     preflight -> method -> body there -> content type -> body sound -> operation known -> sender -> the operation
public struct APIService: Sendable {
    let collector: Collector
    let delivery: DeliveryService
    let leases: LeaseTables
    let authenticator: Authenticator
    let audit: AuditTrail?
    let logger: Logger

    /// A service over a collector. Without `audit`, calls leave no trail.
    public init(
        collector: Collector,
        delivery: DeliveryService,
        leases: LeaseTables,
        authenticator: Authenticator,
        audit: AuditTrail? = nil,
        logger: Logger
    ) {
        self.collector = collector
        self.delivery = delivery
        self.leases = leases
        self.authenticator = authenticator
        self.audit = audit
        self.logger = logger
    }

    func respond(to exchange: HTTPExchange) async -> HTTPAnswer {
        if exchange.method == "OPTIONS", let origin = exchange.header("origin"), !origin.isEmpty {
            return Refusals.preflight(exchange)
        }
        if let page = page(exchange) { return page }
        let id = RequestID.next()
        var answer = exchange.method == "POST" ? await api(exchange, id) : Refusals.accessDenied
        answer.headers += [
            ("x-amzn-RequestId", id.description), ("x-amz-id-2", RequestID.extended()), ("x-millrace", "1"),
            ("x-millrace-max-records", String(collector.maxRecordsPerProducerRequest)),
        ]
        return answer
    }

    // MARK: - APIs

    private func api(_ exchange: HTTPExchange, _ id: RequestID) async -> HTTPAnswer {
        let media = MediaType(exchange.header("content-type"))
        let header = exchange.header("x-amz-target")
        let target = Target(header)
        if exchange.body.isEmpty { return Refusals.noBody(media, target) }
        if media == .plainJSON { return Refusals.plainJSON(isSound: BodySyntax.isSound(exchange.body, .json)) }
        guard media.isSpoken(by: target?.service), let format = media.format else {
            return Target.isComplete(header) ? Refusals.unknownOperation : Refusals.accessDenied
        }
        do throws(AWSError) {
            guard let target else { throw AWSError("UnknownOperationException", "") }
            let caller = try authenticator.identify(exchange, service: target.service)
            exchange.hold?.release()
            let request = APIRequest(
                operation: target.operation,
                region: caller.region,
                body: try ContentEncoding.decoded(exchange),
                format: format,
                producer: exchange.header("x-millrace-producer"),
                caller: caller
            )
            switch try await audited(target.service, request, id) {
            case .body(let bytes): return HTTPAnswer(status: 200, contentType: media.name, body: .bytes(bytes))
            case .events(let feed):
                return HTTPAnswer(status: 200, contentType: "application/vnd.amazon.eventstream", body: .feed(feed))
            }
        } catch {
            let error = Self.first(error, exchange, format)
            if error.status >= 500 {
                logger.error(
                    "a request failed",
                    metadata: [
                        "target": "\(header ?? "")", "code": "\(error.code)", "message": "\(error.message)",
                        "request": "\(id)",
                    ]
                )
            }
            return Refusals.error(error, media, format)
        }
    }

    /// Carries a request out, and writes down that it was, or why not.
    private func audited(
        _ service: Target.Service,
        _ request: APIRequest,
        _ id: RequestID
    ) async throws(AWSError) -> APIAnswer {
        guard let audit, let caller = request.caller,
            AuditEvent.isRecorded(service: service.signingName, operation: request.operation)
        else {
            return try await dispatch(service, request)
        }
        do throws(AWSError) {
            let answer = try await dispatch(service, request)
            audit.record(AuditEvent(service, request, from: caller, id, answer: answer.bytes).line())
            return answer
        } catch {
            audit.record(AuditEvent(service, request, from: caller, id, error: error).line())
            throw error
        }
    }

    /// What AWS would have refused a request for first: a body that can't be read comes before everything that is wrong
    /// with its operation or sender, and nothing is said about why.
    private static func first(_ error: AWSError, _ exchange: HTTPExchange, _ format: WireFormat) -> AWSError {
        switch error.code {
        case "UnknownOperationException", "MissingAuthenticationTokenException", "IncompleteSignatureException",
            "InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException",
            "SerializationException":
            // A compressed body is not looked into for strangers.
            guard !ContentEncoding.isCompressed(exchange) else { return error }
            return BodySyntax.isSound(exchange.body, format) ? error : .serialization("")
        default: return error
        }
    }

    private func dispatch(_ service: Target.Service, _ request: APIRequest) async throws(AWSError) -> APIAnswer {
        switch service {
        case .kinesis: try await collector.kinesis(request)
        case .dynamoDB:
            .body(
                try await leases.handle(
                    operation: request.operation,
                    region: request.region,
                    body: request.body,
                    caller: request.caller
                )
            )
        case .firehose: .body(try await firehose(request))
        }
    }

    private func firehose(_ request: APIRequest) async throws(AWSError) -> [UInt8] {
        guard request.operation == "PutRecord" || request.operation == "PutRecordBatch" else {
            return try await delivery.handle(
                operation: request.operation,
                region: request.region,
                body: request.body,
                caller: request.caller
            )
        }
        return try await collector.firehosePut(request) { name throws(AWSError) in
            try await delivery.hiddenStream(
                deliveryStream: name,
                region: request.region,
                for: request.operation,
                caller: request.caller
            ).name
        }
    }

    // MARK: - Pages

    /// What people and probes see. A request that is signed, or that says nothing of what it accepts, comes from a program
    /// that means the API and gets the API's answer.
    private func page(_ exchange: HTTPExchange) -> HTTPAnswer? {
        guard exchange.method == "GET" || exchange.method == "HEAD" else { return nil }
        switch exchange.path {
        case "/healthz": return .text(200, "ok\n")
        case "/readyz": return .text(200, "ready\n")
        case "/metrics":
            return .text(
                200,
                collector.metrics() + delivery.metrics(),
                contentType: "text/plain; version=0.0.4; charset=utf-8"
            )
        default: break
        }
        guard exchange.header("accept") != nil, exchange.header("authorization") == nil else { return nil }
        guard exchange.path == "/" else { return .text(404, "There is nothing at \(exchange.path).\n") }
        return .text(
            200,
            "Millrace collector. The Kinesis, Firehose and DynamoDB-subset APIs take POST here; "
                + "/metrics, /healthz and /readyz take GET.\n"
        )
    }
}
