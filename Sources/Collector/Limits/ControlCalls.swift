import AWSProtocol
import StreamModel
import Synchronization

/// How many calls of each control operation may still be made: per account and region, or per stream.
final class ControlCalls: Sendable {
    /// What counts together.
    struct Bucket: Hashable {
        var region: String
        var operation: String
        /// Nil where calls count per account.
        var stream: String?

        init(_ request: APIRequest) {
            region = request.region
            operation = request.operation
            if ServiceLimits.perStream.contains(operation) { stream = ControlCalls.stream(of: request) }
        }
    }

    /// The stream that a request names, also by its ARN or that of one of its consumers.
    static func stream(of request: APIRequest) -> String? {
        // What can't be read is refused by the operation itself.
        let body =
            switch request.format {
            case .json: try? JSONValue(parsing: request.body)
            case .cbor: try? JSONValue(parsingCBOR: request.body)
            }
        if let name = body?["StreamName"]?.string { return name }
        for member in ["StreamARN", "ConsumerARN", "ResourceARN"] {
            guard let arn = body?[member]?.string, let at = arn.firstRange(of: ":stream/") else { continue }
            return String(arn[at.upperBound...].prefix { $0 != "/" })
        }
        return nil
    }

    private struct State {
        var buckets: [Bucket: TokenBucket] = [:]
        var rates: [Bucket: Rate] = [:]
    }

    /// Names that nobody has may come in any number: beyond this many, buckets that are full again are forgotten.
    private static let roomy = 4096

    private let state = Mutex(State())

    /// Takes a call, when there is one left.
    func take(_ bucket: Bucket, _ rate: Rate, at now: Int64) -> Bool {
        state.withLock { state in
            if state.buckets.count >= Self.roomy { Self.tidy(&state, now) }
            state.rates[bucket] = rate
            return state.buckets[bucket, default: TokenBucket()].take(1, of: rate, at: now)
        }
    }

    /// The call was none.
    func giveBack(_ bucket: Bucket) {
        state.withLock { $0.buckets[bucket]?.spend(-1) }
    }

    private static func tidy(_ state: inout State, _ now: Int64) {
        for (bucket, rate) in state.rates where (state.buckets[bucket]?.available(rate, at: now) ?? .max) >= rate.burst
        {
            state.buckets[bucket] = nil
            state.rates[bucket] = nil
        }
    }
}
