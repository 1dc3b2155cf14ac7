import AWSProtocol

/// One control call, as CloudTrail records it.
/// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
public struct AuditEvent: Sendable {
    /// Who called.
    public struct Identity: Sendable {
        /// `Root` or `IAMUser`.
        public var type: String
        /// Of the user or the account's root.
        public var arn: String
        /// CloudTrail's unique id of the caller.
        public var principalID: String
        /// 12 digits.
        public var account: String
        /// Never the secret.
        public var accessKeyID: String?
        /// Nil for the root.
        public var userName: String?

        /// A caller.
        public init(
            type: String,
            arn: String,
            principalID: String,
            account: String,
            accessKeyID: String?,
            userName: String?
        ) {
            self.type = type
            self.arn = arn
            self.principalID = principalID
            self.account = account
            self.accessKeyID = accessKeyID
            self.userName = userName
        }
    }

    /// Milliseconds since 1970.
    public var time: Int64
    /// As signatures name it: `kinesis`, `firehose`, `dynamodb`.
    public var service: String
    /// Such as `CreateStream`.
    public var operation: String
    /// The credential scope's.
    public var region: String
    /// The collector's.
    public var account: String
    /// Who called.
    public var identity: Identity
    /// The client's address.
    public var sourceAddress: String?
    /// What the client calls itself.
    public var userAgent: String?
    /// As in `x-amzn-RequestId`.
    public var requestID: String
    /// A random UUID.
    public var eventID: String
    /// The request's members.
    public var request: JSONValue?
    /// The answer's members.
    public var answer: JSONValue?
    /// Why it was refused.
    public var error: AWSError?

    /// An event.
    public init(
        time: Int64,
        service: String,
        operation: String,
        region: String,
        account: String,
        identity: Identity,
        sourceAddress: String?,
        userAgent: String?,
        requestID: String,
        eventID: String,
        request: JSONValue?,
        answer: JSONValue?,
        error: AWSError?
    ) {
        self.time = time
        self.service = service
        self.operation = operation
        self.region = region
        self.account = account
        self.identity = identity
        self.sourceAddress = sourceAddress
        self.userAgent = userAgent
        self.requestID = requestID
        self.eventID = eventID
        self.request = request
        self.answer = answer
        self.error = error
    }

    /// Whether calls of the operation are recorded: those that read and write records or items are not.
    public static func isRecorded(service: String, operation: String) -> Bool {
        switch service {
        case "kinesis":
            !["PutRecord", "PutRecords", "GetRecords", "GetShardIterator", "SubscribeToShard"].contains(operation)
        case "firehose": !["PutRecord", "PutRecordBatch"].contains(operation)
        default:
            ["Table", "Tables", "TimeToLive", "ContinuousBackups", "Resource"].contains { operation.hasSuffix($0) }
        }
    }

    /// Whether the operation only looks.
    public var isReadOnly: Bool { ["Describe", "List", "Get"].contains { operation.hasPrefix($0) } }

    /// One line of JSON with its line feed.
    public func line() -> [UInt8] {
        jsonBytes(reserving: 1024) { json in
            json.name("eventVersion")
            json.string("1.11")
            json.name("userIdentity")
            json.object(writeIdentity)
            json.name("eventTime")
            json.string(UTCSeconds.text(time))
            json.name("eventSource")
            json.string("\(service).amazonaws.com")
            json.name("eventName")
            json.string(operation)
            json.name("awsRegion")
            json.string(region)
            Self.write("sourceIPAddress", sourceAddress, to: &json)
            Self.write("userAgent", userAgent, to: &json)
            if let error {
                json.name("errorCode")
                json.string(error.code)
                json.name("errorMessage")
                json.string(error.message)
            }
            json.name("requestParameters")
            json.value(request.map { Self.lowered($0) } ?? .null)
            json.name("responseElements")
            json.value(isReadOnly || error != nil ? .null : answer.map { Self.lowered($0) } ?? .null)
            json.name("requestID")
            json.string(requestID)
            json.name("eventID")
            json.string(eventID)
            json.name("readOnly")
            json.bool(isReadOnly)
            json.name("eventType")
            json.string("AwsApiCall")
            json.name("managementEvent")
            json.bool(true)
            json.name("recipientAccountId")
            json.string(account)
            json.name("eventCategory")
            json.string("Management")
        } + [0x0A]
    }

    private func writeIdentity(_ json: inout JSONWriter) {
        json.name("type")
        json.string(identity.type)
        json.name("principalId")
        json.string(identity.principalID)
        json.name("arn")
        json.string(identity.arn)
        json.name("accountId")
        json.string(identity.account)
        Self.write("accessKeyId", identity.accessKeyID, to: &json)
        Self.write("userName", identity.userName, to: &json)
    }

    private static func write(_ name: StaticString, _ text: String?, to json: inout JSONWriter) {
        guard let text else { return }
        json.name(name)
        json.string(text)
    }

    /// Members of structures begin with a small letter there; the keys of tags are their owner's. Blobs are left out.
    private static func lowered(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                members.map { member in
                    let name = member.name.prefix(1).lowercased() + member.name.dropFirst()
                    return JSONValue.Member(name, name == "tags" ? member.value : lowered(member.value))
                }
            )
        case .array(let elements): .array(elements.map(lowered))
        case .bytes: .null
        default: value
        }
    }
}

/// `2026-11-21T12:00:00Z`
enum UTCSeconds {
    static func text(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        // Days since 1970 to a date of the Gregorian calendar, counted in eras of 400 years from 1 March 0000.
        let days = seconds / 86_400 + 719_468
        let (era, day) = (days / 146_097, days % 146_097)
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * month + 2) / 5 + 1
        let monthOfYear = month < 10 ? month + 3 : month - 9
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let time = seconds % 86_400
        return "\(year + era * 400 + (monthOfYear <= 2 ? 1 : 0))-\(two(monthOfYear))-\(two(date))"
            + "T\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60))Z"
    }
}
