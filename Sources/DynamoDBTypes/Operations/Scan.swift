import AWSProtocol

/// `Scan`: reads a table or an index page by page, whole or in segments.
/// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
public struct ScanRequest: Sendable, Equatable {
    /// The page wanted.
    public var page: PageRequest
    /// The segment wanted, from 0; 0 for a scan that is not parallel.
    public var segment: Int
    /// How many segments the keys are divided into; 1 for a scan that is not parallel.
    public var totalSegments: Int

    /// Reads a request's JSON. Throws `ValidationException` and `SerializationException`.
    public init(body: [UInt8]) throws(AWSError) {
        var reader = try RequestReader(body: body)
        try reader.checkNotMixed(
            legacy: ["AttributesToGet", "ScanFilter", "ConditionalOperator"],
            expressions: ["ProjectionExpression", "FilterExpression"]
        )
        var names = try ExpressionNames(
            body: reader,
            expressions: [
                ("FilterExpression", reader.raw("FilterExpression") != nil),
                ("ProjectionExpression", reader.raw("ProjectionExpression") != nil),
            ]
        )
        page = try PageRequest(reading: &reader, legacyFilter: "ScanFilter", names: &names)
        let segment = try reader.integer("Segment", in: 0...999_999)
        let total = try reader.integer("TotalSegments", in: 1...1_000_000)
        try reader.finish()
        try names.checkAllUsed()
        switch (segment, total) {
        case (nil, nil): break
        case (nil, _?):
            throw .validation(
                "The Segment parameter is required but was not present in the request when parameter "
                    + "TotalSegments is present"
            )
        case (_?, nil):
            throw .validation(
                "The TotalSegments parameter is required but was not present in the request when Segment "
                    + "parameter is present"
            )
        case (let segment?, let total?):
            guard segment < total else {
                throw .validation(
                    "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
                        + "Segment: \(segment) is not less than TotalSegments: \(total)"
                )
            }
        }
        self.segment = segment ?? 0
        totalSegments = total ?? 1
    }
}
