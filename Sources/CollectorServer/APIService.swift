import AWSProtocol
import Collector
import Delivery
import LeaseTable
import Logging

/// Answers whole requests: tells the APIs apart by `X-Amz-Target`, authenticates, dispatches, and puts answers and errors
/// into AWS's envelope.
public struct APIService: Sendable {
    let collector: Collector
    let delivery: DeliveryService
    let leases: LeaseTables
    let authenticator: Authenticator
    let logger: Logger

    /// A service over a collector.
    public init(
        collector: Collector,
        delivery: DeliveryService,
        leases: LeaseTables,
        authenticator: Authenticator,
        logger: Logger
    ) {
        self.collector = collector
        self.delivery = delivery
        self.leases = leases
        self.authenticator = authenticator
        self.logger = logger
    }

    func respond(to exchange: HTTPExchange) async -> HTTPAnswer {
        switch exchange.method {
        case "POST": await api(exchange)
        case "GET", "HEAD": page(exchange)
        case "OPTIONS" where exchange.header("origin") != nil: preflight(exchange)
        default:
            xml(
                403,
                "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized"
                    + "</Message>\n</AccessDeniedException>\n"
            )
        }
    }

    // MARK: - APIs

    private func api(_ exchange: HTTPExchange) async -> HTTPAnswer {
        let id = RequestID.next()
        let media = (exchange.header("content-type") ?? "").prefix { $0 != ";" }.lowercased()
        let format: WireFormat = media == "application/x-amz-cbor-1.1" ? .cbor : .json
        let type =
            switch media {
            case "application/x-amz-cbor-1.1": "application/x-amz-cbor-1.1"
            case "application/x-amz-json-1.0": "application/x-amz-json-1.0"
            default: "application/x-amz-json-1.1"
            }
        do throws(AWSError) {
            guard let target = Target(exchange.header("x-amz-target")) else {
                throw AWSError("UnknownOperationException", "")
            }
            guard !exchange.body.isEmpty else { throw .serialization("The request has no body.") }
            let caller = try authenticator.identify(exchange, service: target.service)
            exchange.hold?.release()
            let request = APIRequest(
                operation: target.operation,
                region: caller.region,
                body: exchange.body,
                format: format,
                producer: exchange.header("x-millrace-producer"),
                caller: caller
            )
            let body = try await dispatch(target.service, request)
            return answer(200, type, body, id)
        } catch {
            if error.status >= 500 {
                logger.error(
                    "a request failed",
                    metadata: [
                        "target": "\(exchange.header("x-amz-target") ?? "")", "code": "\(error.code)",
                        "message": "\(error.message)", "request": "\(id)",
                    ]
                )
            }
            var failure = answer(error.status, type, Self.envelope(error, format), id)
            failure.headers.append(("x-amzn-ErrorType", error.code))
            return failure
        }
    }

    private func dispatch(_ service: Target.Service, _ request: APIRequest) async throws(AWSError) -> [UInt8] {
        switch service {
        case .kinesis: return try await collector.kinesis(request).bytes
        case .dynamoDB:
            return try await leases.handle(
                operation: request.operation,
                region: request.region,
                body: request.body,
                caller: request.caller
            )
        case .firehose:
            guard request.operation == "PutRecord" || request.operation == "PutRecordBatch" else {
                return try await delivery.handle(
                    operation: request.operation,
                    region: request.region,
                    body: request.body,
                    caller: request.caller
                )
            }
            let name = try Collector.deliveryStreamName(request)
            let hidden = try await delivery.hiddenStream(
                deliveryStream: name,
                region: request.region,
                for: request.operation,
                caller: request.caller
            )
            return try await collector.firehosePut(request, into: hidden.name)
        }
    }

    private func answer(_ status: Int, _ type: String, _ body: [UInt8], _ id: RequestID) -> HTTPAnswer {
        HTTPAnswer(
            status: status,
            contentType: type,
            body: .bytes(body),
            headers: [
                ("x-amzn-RequestId", id.description), ("x-amz-id-2", id.extended), ("x-millrace", "1"),
                ("x-millrace-max-records", String(collector.maxRecordsPerProducerRequest)),
            ]
        )
    }

    private static func envelope(_ error: AWSError, _ format: WireFormat) -> [UInt8] {
        answerBytes(format) { json in
            json.name("__type")
            json.string(error.code)
            if !error.message.isEmpty {
                // SerializationException alone spells it with a capital.
                if error.code == "SerializationException" { json.name("Message") } else { json.name("message") }
                json.string(error.message)
            }
            for member in error.extra {
                json.name(escaping: member.name)
                json.value(member.value)
            }
        }
    }

    // MARK: - Pages

    private func page(_ exchange: HTTPExchange) -> HTTPAnswer {
        switch exchange.path {
        case "/healthz": .text(200, "ok\n")
        case "/readyz": .text(200, "ready\n")
        case "/metrics":
            .text(
                200,
                collector.metrics() + delivery.metrics(),
                contentType: "text/plain; version=0.0.4; charset=utf-8"
            )
        case "/":
            .text(
                200,
                "Millrace collector. The Kinesis, Firehose and DynamoDB-subset APIs take POST here; "
                    + "/metrics, /healthz and /readyz take GET.\n"
            )
        default: .text(404, "There is nothing at \(exchange.path).\n")
        }
    }

    private func preflight(_ exchange: HTTPExchange) -> HTTPAnswer {
        var headers = [("access-control-max-age", "172800")]
        for (asked, allowed) in [
            ("access-control-request-headers", "access-control-allow-headers"),
            ("access-control-request-method", "access-control-allow-methods"),
        ] {
            if let value = exchange.header(asked) { headers.append((allowed, value)) }
        }
        return HTTPAnswer(status: 200, contentType: nil, body: .bytes([]), headers: headers)
    }

    private func xml(_ status: Int, _ text: String) -> HTTPAnswer {
        .text(status, text, contentType: "application/xml")
    }
}

/// `X-Amz-Target`: which operation of which service.
struct Target {
    enum Service {
        case kinesis, firehose, dynamoDB

        /// As signatures name it.
        var signingName: String {
            switch self {
            case .kinesis: "kinesis"
            case .firehose: "firehose"
            case .dynamoDB: "dynamodb"
            }
        }
    }

    var service: Service
    var operation: String

    init?(_ header: String?) {
        guard let header, let dot = header.lastIndex(of: ".") else { return nil }
        switch header[..<dot] {
        case "Kinesis_20131202": service = .kinesis
        case "Firehose_20150804": service = .firehose
        case "DynamoDB_20120810": service = .dynamoDB
        default: return nil
        }
        operation = String(header[header.index(after: dot)...])
    }
}
