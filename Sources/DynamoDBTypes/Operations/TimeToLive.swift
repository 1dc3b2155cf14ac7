import AWSProtocol

/// `UpdateTimeToLive`: accepted, so that clients that ask for it go on; items never expire here, and both answers say so.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
public struct UpdateTimeToLiveRequest: Sendable, Equatable {
    /// The table.
    public var tableName: String
    /// The attribute that would hold the time.
    public var attributeName: String

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        tableName = try reader.tableName()
        let attribute = try reader.structure("TimeToLiveSpecification", required: true) { (nested) throws(AWSError) in
            _ = try nested.bool("Enabled")
            return try nested.string("AttributeName", length: 1...255, required: true) ?? ""
        }
        attributeName = attribute ?? ""
        try reader.finish()
    }

    /// The answer's JSON: the attribute, not enabled.
    public func json() -> [UInt8] {
        answer { writer in
            writer.name("TimeToLiveSpecification")
            writer.object { writer in
                writer.name("Enabled")
                writer.bool(false)
                writer.name("AttributeName")
                writer.string(attributeName)
            }
        }
    }
}

/// The answer of `DescribeTimeToLive`.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTimeToLive.html
public enum DescribeTimeToLiveResponse {
    /// The answer's JSON.
    public static func json() -> [UInt8] {
        answer { writer in
            writer.name("TimeToLiveDescription")
            writer.object { writer in
                writer.name("TimeToLiveStatus")
                writer.string("DISABLED")
            }
        }
    }
}
