import AWSProtocol
import CZlib

/// Compressed request bodies. The signature covers the bytes as they were sent, so they are inflated behind it.
enum ContentEncoding {
    /// Whether `Content-Encoding` says gzip. Other words there (`amz-1.0`, `identity`) change nothing in the bytes, or leave
    /// bytes that nobody can read.
    static func isCompressed(_ exchange: HTTPExchange) -> Bool {
        guard let header = exchange.header("content-encoding") else { return false }
        let words = header.lowercased().split(separator: ",").map { $0.filter { !$0.isWhitespace } }
        return words.contains("gzip") || words.contains("x-gzip")
    }

    /// The body as it was before it was compressed. Throws `SerializationException` when it is not gzip, and an error of
    /// status 413 when it is larger than a body may be.
    static func decoded(_ exchange: HTTPExchange) throws(AWSError) -> [UInt8] {
        isCompressed(exchange) ? try gunzip(exchange.body, limit: BodyCollector.limit) : exchange.body
    }

    static func gunzip(_ bytes: [UInt8], limit: Int) throws(AWSError) -> [UInt8] {
        var inflated: [UInt8] = []
        // What JSON of records usually comes to; a bomb fills the limit and no more.
        inflated.reserveCapacity(min(limit, bytes.count * 2))
        let outcome = bytes.withUnsafeBufferPointer { bytes -> Outcome in
            guard let start = bytes.baseAddress else { return .damaged }
            guard let reader = czlib_gunzip_open(start, bytes.count) else { return .noMemory }
            defer { czlib_gunzip_close(reader) }
            return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64 * 1024) { room in
                guard let out = room.baseAddress else { return .noMemory }
                while true {
                    let count = czlib_gunzip_read(reader, out, room.count)
                    guard count >= 0 else { return .damaged }
                    if count == 0 { return .whole }
                    guard inflated.count + count <= limit else { return .tooLarge }
                    inflated.append(contentsOf: room[..<count])
                }
            }
        }
        switch outcome {
        case .whole: return inflated
        case .damaged: throw .serialization("The request body is not valid gzip.")
        case .tooLarge:
            throw AWSError(
                "RequestEntityTooLargeException",
                "The request body is larger than \(limit) bytes.",
                status: 413
            )
        case .noMemory: throw .internalFailure
        }
    }

    private enum Outcome {
        case whole, damaged, tooLarge, noMemory
    }
}
