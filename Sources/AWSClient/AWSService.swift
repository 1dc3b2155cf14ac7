/// A service whose operations go by `X-Amz-Target` in JSON.
public struct AWSService: Sendable, Hashable {
    /// As signatures and host names have it.
    public var name: String
    /// Before the dot in `X-Amz-Target`.
    public var target: String
    /// The content type of requests.
    public var contentType: String

    /// Kinesis Data Streams.
    public static let kinesis = AWSService(
        name: "kinesis",
        target: "Kinesis_20131202",
        contentType: "application/x-amz-json-1.1"
    )
    /// Data Firehose.
    public static let firehose = AWSService(
        name: "firehose",
        target: "Firehose_20150804",
        contentType: "application/x-amz-json-1.1"
    )
    /// DynamoDB.
    public static let dynamoDB = AWSService(
        name: "dynamodb",
        target: "DynamoDB_20120810",
        contentType: "application/x-amz-json-1.0"
    )
}

/// A successful answer.
public struct AWSResponse: Sendable {
    /// 200.
    public var status: Int
    /// Names in lower case.
    public var headers: [String: String]
    /// JSON, or empty.
    public var body: [UInt8]

    /// An answer.
    public init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
