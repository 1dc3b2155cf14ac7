/// How a request's body is written, and its answer: the content type decides.
public enum WireFormat: Sendable, Equatable {
    /// `application/x-amz-json-1.1`: blobs are base64, timestamps seconds with a fraction.
    case json
    /// `application/x-amz-cbor-1.1` (RFC 8949): blobs are byte strings, timestamps whole milliseconds under tag 1.
    case cbor
}
