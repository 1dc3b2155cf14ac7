import AWSProtocol

/// What a request's `Content-Type` says, and the answer's is to be.
enum MediaType: Equatable {
    case json11, json10, cbor
    /// `application/json`: AWS knows it from another protocol of old.
    case plainJSON
    /// Missing, or something that no API here speaks.
    case other

    /// Parameters and blanks are passed over.
    init(_ header: String?) {
        switch header {
        // As nearly all write it.
        case "application/x-amz-json-1.1":
            self = .json11
            return
        case "application/x-amz-cbor-1.1":
            self = .cbor
            return
        default: break
        }
        var name = (header ?? "").prefix { $0 != ";" }
        while name.last?.isWhitespace ?? false { name.removeLast() }
        switch name.drop(while: \.isWhitespace).lowercased() {
        case "application/x-amz-json-1.1": self = .json11
        case "application/x-amz-json-1.0": self = .json10
        case "application/x-amz-cbor-1.1": self = .cbor
        case "application/json": self = .plainJSON
        default: self = .other
        }
    }

    /// How bodies of this type are written; nil for a type that gets no answer of its own kind.
    var format: WireFormat? {
        switch self {
        case .json11, .json10: .json
        case .cbor: .cbor
        case .plainJSON, .other: nil
        }
    }

    /// Whether a service takes it: DynamoDB speaks JSON 1.0, the others JSON 1.1 and CBOR.
    func isSpoken(by service: Target.Service?) -> Bool {
        switch self {
        case .json11: true
        case .json10: service == .dynamoDB
        case .cbor: service != .dynamoDB
        case .plainJSON, .other: false
        }
    }

    /// As a header has it.
    var name: String {
        switch self {
        case .json11: "application/x-amz-json-1.1"
        case .json10: "application/x-amz-json-1.0"
        case .cbor: "application/x-amz-cbor-1.1"
        case .plainJSON: "application/json"
        case .other: "application/octet-stream"
        }
    }
}
