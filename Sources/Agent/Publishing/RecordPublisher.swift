/// Who answers at a flow's endpoint.
enum EndpointKind: Sendable, Equatable {
    /// AWS, or something that speaks like it: at most 500 records, repetitions are stored.
    case aws
    /// A Millrace collector: drops repetitions, and takes this many records in one request.
    case millrace(maxRecords: Int)
}

/// One request of a flow.
struct PublishRequest: Sendable {
    /// The whole body.
    var body: [UInt8]
    /// Which source numbered which record, for a collector that looks at it; nil towards AWS.
    var producers: String?
    /// Records in the body.
    var count: Int
}

/// A record that was not stored, by its index in the request.
struct RecordFailure: Sendable, Equatable {
    var index: Int
    /// Such as `ProvisionedThroughputExceededException`.
    var code: String
    var message: String
}

/// Why nothing of a request is known to be stored. Trying again is always right; whether it can help is in the words.
struct PublishError: Error, Sendable, Equatable, CustomStringConvertible {
    /// AWS's code, such as `ResourceNotFoundException`, or one of ours for what never reached a server.
    var code: String
    /// What happened and, where a person can mend it, what to do.
    var message: String
    /// How long the server asked to wait, if it did.
    var retryAfter: Duration?

    var description: String { "\(code): \(message)" }
}

/// Where a flow's requests go. Sends each once: repeating is the flow's business.
protocol RecordPublisher: Sendable {
    /// Asks who is there, without storing anything.
    func probe() async throws(PublishError) -> EndpointKind
    /// Sends one request; returns the records that were not stored, in rising order. Everything else is durable.
    func publish(_ request: PublishRequest) async throws(PublishError) -> [RecordFailure]
}
