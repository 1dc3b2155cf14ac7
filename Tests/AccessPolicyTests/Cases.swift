import AWSProtocol
import Testing

@testable import AccessPolicy

let account = "123456789012"
let stranger = "210987654321"
let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
let actions = ["DescribeStreamSummary", "GetRecords", "ListShards", "PutRecord"].map { "kinesis:" + $0 }

func identityPolicy(_ json: String, _ place: SourceLocation = #_sourceLocation) throws -> PolicyDocument {
    var reader = PolicyReader(.identity)
    let document = reader.read(try JSONValue(parsing: json.utf8))
    return try #require(document, "\(reader.problems)", sourceLocation: place)
}

/// Statements of a policy of today's version.
func identityPolicy(statements: String, _ place: SourceLocation = #_sourceLocation) throws -> PolicyDocument {
    try identityPolicy(#"{"Version":"2012-10-17","Statement":[\#(statements)]}"#, place)
}

func resourcePolicy(statements: String) throws -> PolicyDocument {
    try PolicyDocument(
        resourcePolicy: #"{"Version":"2012-10-17","Statement":[\#(statements)]}"#,
        on: stream,
        actions: actions
    )
}

/// What is wrong with a document, as sentences.
func problems(_ json: String, _ kind: PolicyDocument.Kind = .identity) throws -> [String] {
    var reader = PolicyReader(kind)
    _ = reader.read(try JSONValue(parsing: json.utf8))
    return reader.problems.map(\.description)
}

func user(_ name: String = "alice", in account: String = account, _ policies: PolicyDocument...) -> Principal {
    Principal(account: account, kind: .user(name), accessKeyID: "AKIDEXAMPLE", policies: policies)
}

func context(
    from address: String? = "203.0.113.7",
    isSecure: Bool = false,
    agent: String? = "Boto3/1.40",
    at milliseconds: Int64 = 1_795_241_350_000
) -> CallContext {
    CallContext(sourceAddress: address, isSecure: isSecure, userAgent: agent, milliseconds: milliseconds)
}

func request(
    _ principal: Principal,
    _ action: String = "kinesis:PutRecord",
    _ resource: String = stream,
    context: CallContext = context(),
    resourceTags: [TagPair] = [],
    requestTags: [TagPair] = []
) -> AccessRequest {
    var request = AccessRequest(
        principal: principal,
        context: context,
        action: action,
        resource: resource,
        region: "us-east-1",
        resourceAccount: account
    )
    request.resourceTags = resourceTags
    request.requestTags = requestTags
    return request
}

/// Whether a user with one Allow under this condition may put.
func allows(
    _ condition: String,
    context: CallContext = context(),
    principal: (PolicyDocument) -> Principal = { user("alice", in: account, $0) },
    resourceTags: [TagPair] = [],
    requestTags: [TagPair] = []
) throws -> Bool {
    let policy = try identityPolicy(
        statements: #"{"Effect":"Allow","Action":"kinesis:*","Resource":"*","Condition":\#(condition)}"#
    )
    return request(principal(policy), context: context, resourceTags: resourceTags, requestTags: requestTags)
        .refusal(resourcePolicy: nil) == nil
}
