/// An object prefix with expressions, as Amazon Data Firehose has them: `!{timestamp:PATTERN}`,
/// `!{firehose:random-string}` and plain text. Times are UTC.
///
/// `logs/!{timestamp:yyyy/MM}/` gives `logs/2026/11/`; a prefix without a timestamp expression gets `yyyy/MM/dd/HH/`
/// behind it, so `foo` gives `foo2026/11/21/05/`.
public struct SinkPrefix: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case literal(String)
        case timestamp(TimestampPattern)
        case randomString
        case errorOutputType
    }

    private let parts: [Part]
    /// Whether the text holds any `!{…}`.
    public let hasExpressions: Bool
    /// Whether `!{firehose:error-output-type}` occurs, which only an error prefix may have.
    public let namesErrorType: Bool

    /// Longest evaluated prefix, in characters.
    public static let evaluatedLengthLimit = 512

    /// Reads a prefix. Throws `SinkError` with code `prefix`, naming the expression that is not understood.
    public init(_ text: String) throws(SinkError) {
        var parts: [Part] = []
        var rest = text[...]
        var hasTimestamp = false
        while let start = Self.range(of: "!{", in: rest) {
            if start.lowerBound > rest.startIndex { parts.append(.literal(String(rest[..<start.lowerBound]))) }
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else {
                throw SinkError(prefix: "prefix '\(text)': '!{' without '}'")
            }
            let part = try Self.expression(String(rest[start.upperBound..<end]), in: text)
            if case .timestamp = part { hasTimestamp = true }
            parts.append(part)
            rest = rest[rest.index(after: end)...]
        }
        hasExpressions = !parts.allSatisfy { if case .literal = $0 { true } else { false } }
        namesErrorType = parts.contains(.errorOutputType)
        if !rest.isEmpty { parts.append(.literal(String(rest))) }
        if !hasTimestamp { parts.append(.timestamp(try TimestampPattern("yyyy/MM/dd/HH/"))) }
        self.parts = parts
    }

    private static func expression(_ expression: String, in text: String) throws(SinkError) -> Part {
        func refuse(_ why: String) -> SinkError { SinkError(prefix: "prefix '\(text)': '!{\(expression)}' \(why)") }
        guard let colon = expression.firstIndex(of: ":") else { throw refuse("is not of the form !{namespace:value}") }
        let value = String(expression[expression.index(after: colon)...])
        switch expression[..<colon] {
        case "timestamp":
            guard !value.isEmpty else { throw refuse("has no pattern") }
            return .timestamp(try TimestampPattern(value))
        case "firehose" where value == "random-string": return .randomString
        case "firehose" where value == "error-output-type": return .errorOutputType
        case "firehose": throw refuse("is unknown; there are random-string and error-output-type")
        case "partitionKeyFromQuery", "partitionKeyFromLambda":
            throw refuse("needs dynamic partitioning, which this server does not have")
        default: throw refuse("has an unknown namespace; there are timestamp and firehose")
        }
    }

    private static func range(of two: String, in text: Substring) -> Range<Substring.Index>? {
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix(two) { return at..<text.index(at, offsetBy: two.count) }
            at = text.index(after: at)
        }
        return nil
    }

    /// The prefix at a moment. All timestamps are of the one moment; each random string is a new one of 11 characters.
    /// Throws `SinkError` with code `unsafeName` when it is longer than 512 characters.
    public func evaluate(
        at time: CivilTime,
        using generator: inout some RandomNumberGenerator,
        errorType: String = ""
    ) throws(SinkError) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .literal(let literal): text += literal
            case .timestamp(let pattern): text += pattern.format(time)
            case .randomString: text += RandomName.string(using: &generator)
            case .errorOutputType: text += errorType
            }
        }
        guard text.count <= Self.evaluatedLengthLimit else {
            throw SinkError(
                unsafeName: text,
                "the evaluated prefix is longer than \(Self.evaluatedLengthLimit) characters"
            )
        }
        return text
    }
}

/// Random names.
enum RandomName {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")

    /// 11 letters and digits.
    static func string(using generator: inout some RandomNumberGenerator) -> String {
        String((0..<11).map { _ in letters[Int.random(in: 0..<letters.count, using: &generator)] })
    }

    /// A random UUID (RFC 9562 version 4), in small letters.
    static func uuid(using generator: inout some RandomNumberGenerator) -> String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            switch index {
            case 12: text.append("4")
            case 16: text.append(digits[8 + Int.random(in: 0..<4, using: &generator)])
            default: text.append(digits[Int.random(in: 0..<16, using: &generator)])
            }
        }
        return text
    }
}
