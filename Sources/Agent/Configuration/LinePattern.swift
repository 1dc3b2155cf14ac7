/// A regular expression of a configuration file that is matched against lines, from their first character on, as Java's
/// `lookingAt` does.
///
/// Unchecked, because `Regex` is a value that is not marked as sendable; matching does not change it.
struct LinePattern: @unchecked Sendable {
    private let regex: Regex<AnyRegexOutput>

    /// Throws what the compiler of expressions has to say.
    init(_ pattern: String) throws {
        regex = try Regex(pattern).matchingSemantics(.unicodeScalar)
    }

    /// Whether a line starts with a match. Bytes that are not UTF-8 count as U+FFFD.
    func matches(_ line: UnsafeRawBufferPointer) -> Bool {
        // A match that could not be computed is none.
        (try? regex.prefixMatch(in: String(decoding: line, as: UTF8.self))) != nil
    }

    /// For `FileTailConfiguration.multiLineStart`.
    var matcher: @Sendable (UnsafeRawBufferPointer) -> Bool { { matches($0) } }
}
