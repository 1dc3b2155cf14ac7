import AWSClient

/// Publishes to a data stream or a delivery stream, of AWS or of a Millrace collector.
struct AWSPublisher: RecordPublisher {
    let client: AWSClient
    let destination: FlowDestination
    /// Whether a collector was found at this endpoint before: then nobody else is believed to be it.
    var expectsMillrace = false

    func probe() async throws(PublishError) -> EndpointKind {
        let headers: [String: String]
        do throws(AWSClientError) {
            let answer = try await client.call(
                service,
                isStream ? "ListStreams" : "ListDeliveryStreams",
                body: Array("{\"Limit\":1}".utf8),
                retry: RetryPolicy.none
            )
            headers = answer.headers
        } catch {
            // Who may not list may still be allowed to put.
            guard error.serviceCode == "AccessDeniedException" else { throw explained(error) }
            headers = error.headers
        }
        return try kind(headers)
    }

    private func kind(_ headers: [String: String]) throws(PublishError) -> EndpointKind {
        if headers["x-millrace"] != nil {
            return .millrace(maxRecords: headers["x-millrace-max-records"].flatMap { Int($0) } ?? 500)
        }
        guard !expectsMillrace else {
            throw PublishError(
                code: "NotTheCollector",
                message:
                    "\(endpoint) does not answer as the Millrace collector that was there before; if it is meant to be "
                    + "AWS now, give it another URL or start with a new state folder"
            )
        }
        return .aws
    }

    func publish(_ request: PublishRequest) async throws(PublishError) -> [RecordFailure] {
        let headers = request.producers.map { [(ProducerHeader.name, $0)] } ?? []
        let answer: AWSResponse
        do throws(AWSClientError) {
            answer = try await client.call(
                service,
                isStream ? "PutRecords" : "PutRecordBatch",
                body: request.body,
                headers: headers,
                retry: RetryPolicy.none
            )
        } catch {
            throw explained(error)
        }
        return try PutAnswer.failures(answer.body, count: request.count)
    }

    /// Asks whether the stream is there.
    func describe() async throws(PublishError) {
        let body =
            isStream ? "{\"StreamName\":\"\(destination.name)\"}" : "{\"DeliveryStreamName\":\"\(destination.name)\"}"
        do throws(AWSClientError) {
            _ = try await client.call(
                service,
                isStream ? "DescribeStreamSummary" : "DescribeDeliveryStream",
                body: Array(body.utf8),
                retry: RetryPolicy.none
            )
        } catch {
            throw explained(error)
        }
    }

    // MARK: - Words

    private var isStream: Bool {
        if case .stream = destination { true } else { false }
    }

    private var service: AWSService { isStream ? .kinesis : .firehose }

    /// The URL of the destination's service, as it was configured.
    var endpoint: String {
        client.configuration.serviceEndpointURLs[service.name] ?? client.configuration.endpointURL
            ?? "https://\(service.name).\(client.configuration.region).amazonaws.com"
    }

    private func explained(_ error: AWSClientError) -> PublishError {
        let code: String
        switch error.code {
        case .service(let service): code = service.code
        case .connection: code = "Unreachable"
        case .timeout: code = "Timeout"
        case .badResponse: code = "BadAnswer"
        case .noCredentials: code = "NoCredentials"
        case .configuration: code = "BadConfiguration"
        case .cancelled: code = "Cancelled"
        }
        var message = error.message
        if message.hasPrefix("\(code): ") { message.removeFirst(code.count + 2) }
        return PublishError(code: code, message: advice(code).map { "\(message) (\($0))" } ?? message)
    }

    private func advice(_ code: String) -> String? {
        let option = endpoint.hasSuffix(".amazonaws.com") ? "" : " --endpoint-url \(endpoint)"
        switch code {
        case "ResourceNotFoundException":
            return isStream
                ? "make the stream: aws kinesis create-stream --stream-name \(destination.name) --shard-count 1\(option)"
                : "make it: aws firehose create-delivery-stream --delivery-stream-name \(destination.name) "
                    + "--extended-s3-destination-configuration ...\(option)"
        case "AccessDeniedException":
            return
                "allow this key \(isStream ? "kinesis:PutRecords" : "firehose:PutRecordBatch") on \(destination.name)"
        case "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException",
            "IncompleteSignatureException", "MissingAuthenticationTokenException", "InvalidClientTokenId":
            return "check the access key and its secret: they must be those of \(endpoint)"
        case "ExpiredTokenException": return "renew the session token"
        case "ProvisionedThroughputExceededException", "ThrottlingException":
            return "give \(destination.name) more shards if this lasts"
        case "KMSAccessDeniedException", "KMSDisabledException", "KMSNotFoundException":
            return "check the stream's encryption key"
        default: return nil
        }
    }
}
